// SPDX-License-Identifier: MIT
#include "isthmus/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/train/update_kernels.h"

namespace isthmus {
namespace {

const std::vector<OptimizerOptions> all_kinds{
    Sgd{.learning_rate = 0.05},
    Sgd{.learning_rate = 0.02, .momentum = 0.9},
    Sgd{.learning_rate = 0.02, .momentum = 0.9, .nesterov = true},
    RmsProp{.learning_rate = 0.01},
    Adam{.learning_rate = 0.01},
};

std::vector<float> random_vector(std::size_t count, std::uint64_t stream) {
  Rng rng(7, stream);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(rng.normal());
  }
  return values;
}

// The update rules in double, one number at a time, straight from the header.
class SlowOptimizer {
 public:
  SlowOptimizer(const OptimizerOptions& options, std::size_t count)
      : options_(options), first_(count), second_(count) {}

  void step(std::vector<double>& theta, const std::vector<double>& gradient, double scale) {
    ++steps_;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      theta[i] -= scale * change(i, gradient[i]);
    }
  }

 private:
  double change(std::size_t i, double g) {
    if (const auto* sgd = std::get_if<Sgd>(&options_)) {
      first_[i] = sgd->momentum * first_[i] + g;
      return sgd->learning_rate * (sgd->nesterov ? g + sgd->momentum * first_[i] : first_[i]);
    }
    if (const auto* rms = std::get_if<RmsProp>(&options_)) {
      second_[i] = rms->decay * second_[i] + (1.0 - rms->decay) * g * g;
      return rms->learning_rate * g / (std::sqrt(second_[i]) + rms->epsilon);
    }
    const Adam& adam = std::get<Adam>(options_);
    first_[i] = adam.beta1 * first_[i] + (1.0 - adam.beta1) * g;
    second_[i] = adam.beta2 * second_[i] + (1.0 - adam.beta2) * g * g;
    const double rate = adam.learning_rate * std::sqrt(1.0 - std::pow(adam.beta2, steps_)) /
                        (1.0 - std::pow(adam.beta1, steps_));
    return rate * first_[i] / (std::sqrt(second_[i]) + adam.epsilon);
  }

  OptimizerOptions options_;
  double steps_ = 0.0;
  std::vector<double> first_;
  std::vector<double> second_;
};

TEST(Optimizer, FollowsTheSlowReference) {
  for (const OptimizerOptions& options : all_kinds) {
    SCOPED_TRACE(to_json(options).dump());
    // Lengths below, at and off the widths of vectors.
    for (const std::size_t count : {1U, 7U, 24U, 33U, 100U}) {
      std::vector<float> theta = random_vector(count, 0);
      std::vector<double> expected(theta.begin(), theta.end());
      Optimizer optimizer(options, count);
      SlowOptimizer slow(options, count);
      for (std::uint64_t step = 1; step <= 50; ++step) {
        const std::vector<float> gradient = random_vector(count, step);
        const double scale = 1.0 / static_cast<double>(step);
        optimizer.step(theta, gradient, {.scale = scale, .gradient_scale = 0.5});
        std::vector<double> half(gradient.begin(), gradient.end());
        for (double& g : half) {
          g *= 0.5;
        }
        slow.step(expected, half, scale);
      }
      EXPECT_EQ(optimizer.steps(), 50U);
      for (std::size_t i = 0; i < count; ++i) {
        EXPECT_NEAR(static_cast<double>(theta[i]), expected[i], 5e-6) << i;
      }
    }
  }
}

TEST(Optimizer, AgreesWithPyTorch) {
  const Json golden = read_json(std::string(ISTHMUS_TEST_FOLDER) + "/golden_optimizer.json");
  const double epsilon = golden.at("epsilon").get<double>();
  std::vector<std::pair<std::string, OptimizerOptions>> cases{
      {"sgd", all_kinds[0]},
      {"sgd_momentum", all_kinds[1]},
      {"sgd_nesterov", all_kinds[2]},
      {"rms_prop", RmsProp{.learning_rate = 0.01, .epsilon = epsilon}},
      {"adam", Adam{.learning_rate = 0.01, .epsilon = epsilon}},
  };
  const auto quartic = golden.at("quartic").get<std::vector<float>>();
  const auto quadratic = golden.at("quadratic").get<std::vector<float>>();
  const auto centre = golden.at("centre").get<std::vector<float>>();
  for (const auto& [name, options] : cases) {
    auto theta = golden.at("start").get<std::vector<float>>();
    Optimizer optimizer(options, theta.size());
    std::vector<float> gradient(theta.size());
    for (std::size_t step = 1; step <= 100; ++step) {
      for (std::size_t i = 0; i < theta.size(); ++i) {
        const float d = theta[i] - centre[i];
        gradient[i] = quartic[i] * d * d * d + quadratic[i] * d;
      }
      optimizer.step(theta, gradient);
      const Json& points = golden.at("trajectories").at(name);
      if (points.contains(std::to_string(step))) {
        const auto expected = points.at(std::to_string(step)).get<std::vector<double>>();
        for (std::size_t i = 0; i < theta.size(); ++i) {
          EXPECT_NEAR(static_cast<double>(theta[i]), expected[i], 5e-6)
              << name << " step " << step << " coordinate " << i;
        }
      }
    }
  }
}

// All kernels of this processor on one set of inputs: the same bits.
TEST(UpdateKernels, GiveTheSameBitsOnEveryInstructionSet) {
  const std::size_t count = 1003;
  const std::vector<float> gradient = random_vector(count, 1);
  const UpdateKernels& plain = available_update_kernels().front();
  for (const UpdateKernels& kernels : available_update_kernels()) {
    SCOPED_TRACE(kernels.name);
    const auto both = [&](auto update) {
      std::vector<std::vector<float>> states;
      for (const UpdateKernels* set : {&plain, &kernels}) {
        std::vector<float> all = random_vector(count, 2);
        std::vector<float> first(count);
        std::vector<float> second(count);
        for (int repeat = 0; repeat < 5; ++repeat) {
          update(*set, all.data(), first.data(), second.data());
        }
        all.insert(all.end(), first.begin(), first.end());
        all.insert(all.end(), second.begin(), second.end());
        states.push_back(all);
      }
      EXPECT_EQ(states[0], states[1]);
    };
    const float* g = gradient.data();
    const SgdFactors sgd{.rate = 0.01F, .momentum = 0.9F, .gradient_scale = 0.7F};
    both([&](const UpdateKernels& k, float* x, float*, float*) { k.sgd_plain(x, g, count, sgd); });
    both([&](const UpdateKernels& k, float* x, float* v, float*) {
      k.sgd_momentum(x, g, v, count, sgd);
    });
    both([&](const UpdateKernels& k, float* x, float* v, float*) {
      k.sgd_nesterov(x, g, v, count, sgd);
    });
    both([&](const UpdateKernels& k, float* x, float*, float* s) {
      k.rms_prop(x, g, s, count, {0.01F, 0.9F, 0.1F, 1e-8F, 0.7F});
    });
    both([&](const UpdateKernels& k, float* x, float* m, float* v) {
      k.adam(x, g, m, v, count, {0.01F, 0.9F, 0.1F, 0.999F, 0.001F, 1e-8F, 0.7F});
    });
    EXPECT_EQ(plain.sum_of_squares(g, count), kernels.sum_of_squares(g, count));
  }
}

TEST(ClipFactor, BringsTheNormToTheLimit) {
  const std::vector<float> gradient = random_vector(1001, 3);
  double squares = 0.0;
  for (const float g : gradient) {
    squares += static_cast<double>(g) * static_cast<double>(g);
  }
  const double norm = std::sqrt(squares);
  EXPECT_NEAR(clip_factor(gradient, 5.0) * norm, 5.0, 1e-12);
  EXPECT_EQ(clip_factor(gradient, norm * 1.001), 1.0);
  EXPECT_EQ(clip_factor(gradient, 0.0), 1.0);
}

TEST(ClipFactor, DoesNotOverflowAndLetsNanThrough) {
  const std::vector<float> huge(10, 3e38F);
  EXPECT_NEAR(clip_factor(huge, 1.0), 1.0 / (std::sqrt(10.0) * 3e38), 1e-43);
  const std::vector<float> broken{1.0F, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(std::isnan(clip_factor(broken, 1.0)));
}

TEST(Schedule, FollowsItsFormulas) {
  EXPECT_EQ(Schedule{}.at(12345), 1.0);
  const Schedule stairs{.kind = Schedule::Kind::staircase, .factor = 0.1, .every = 10.0};
  EXPECT_EQ(stairs.at(0), 1.0);
  EXPECT_EQ(stairs.at(9), 1.0);
  EXPECT_NEAR(stairs.at(10), 0.1, 1e-15);
  EXPECT_NEAR(stairs.at(29), 0.01, 1e-15);
  const Schedule held{
      .kind = Schedule::Kind::staircase, .factor = 0.5, .every = 10.0, .hold = 40.0};
  EXPECT_EQ(held.at(0), 1.0);
  EXPECT_EQ(held.at(49), 1.0);
  EXPECT_EQ(held.at(50), 0.5);
  EXPECT_EQ(held.at(69), 0.25);
  const Schedule decay{.kind = Schedule::Kind::exponential, .factor = 0.25, .every = 10.0};
  EXPECT_NEAR(decay.at(5), 0.5, 1e-15);
  const Schedule cosine{.kind = Schedule::Kind::cosine, .every = 100.0};
  EXPECT_EQ(cosine.at(0), 1.0);
  EXPECT_NEAR(cosine.at(50), 0.5, 1e-15);
  EXPECT_NEAR(cosine.at(100), 0.0, 1e-15);
  EXPECT_NEAR(cosine.at(1000), 0.0, 1e-15);
}

std::string refusal(const OptimizerOptions& options) {
  try {
    const Optimizer optimizer(options, 3);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Optimizer, RefusesValuesOutOfRangeAndNamesThem) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refusal(Sgd{.learning_rate = 0.0}), "sgd learning_rate: expected a value > 0, got 0");
  EXPECT_EQ(refusal(Sgd{.learning_rate = nan}), "sgd learning_rate: expected a finite value > 0, got nan");
  EXPECT_EQ(refusal(Sgd{.momentum = 1.0}), "sgd momentum: expected a value in [0, 1), got 1");
  EXPECT_EQ(refusal(Sgd{.nesterov = true}),
            "sgd nesterov: expected a momentum > 0 with it, got momentum 0");
  EXPECT_EQ(refusal(RmsProp{.decay = -0.1}),
            "rms_prop decay: expected a value in [0, 1), got -0.1");
  EXPECT_EQ(refusal(Adam{.beta2 = 2.0}), "adam beta2: expected a value in [0, 1), got 2");
  EXPECT_EQ(refusal(Adam{.epsilon = 1e-60}),
            "adam epsilon: expected a value >= 1.2e-38, got 1e-60");
  EXPECT_EQ(refusal(Polyak{.learning_rate = 0.0}),
            "polyak learning_rate: expected a value > 0, got 0");
  EXPECT_EQ(refusal(Polyak{.cap = -0.5}), "polyak cap: expected a value > 0, got -0.5");
  EXPECT_EQ(refusal(Polyak{.aim = 1.5}), "polyak aim: expected a value in (0, 1], got 1.5");
  EXPECT_EQ(refusal(Polyak{.steps = 0}), "polyak steps: expected a value >= 1, got 0");
}

// On F = |theta|^2 / 2, whose gradient is theta: a step multiplies theta by a known number.
TEST(Optimizer, TakesPolyakStepsAsWritten) {
  const std::vector<float> start{3.0F, 4.0F};
  const auto stepped = [&](double cap, StepInputs inputs) {
    inputs.loss = 12.5;
    std::vector<float> theta = start;
    Optimizer(Polyak{.cap = cap, .aim = 0.5}, 2).step(theta, start, inputs);
    EXPECT_FLOAT_EQ(theta[1] * 3.0F, theta[0] * 4.0F) << "along the gradient";
    return theta[0] / start[0];
  };
  EXPECT_FLOAT_EQ(stepped(100.0, {.target = 5.0}), 1.0F - (12.5F - 2.5F) / 25.0F);
  EXPECT_FLOAT_EQ(stepped(0.3, {.target = 5.0}), 1.0F - 0.3F / 5.0F) << "its length is the cap";
  EXPECT_FLOAT_EQ(stepped(0.3, {.scale = 0.5, .target = 5.0}), 1.0F - 0.15F / 5.0F);
  EXPECT_FLOAT_EQ(stepped(0.3, {.gradient_scale = 0.1, .target = 5.0}), 1.0F - 0.3F / 5.0F);
  EXPECT_EQ(stepped(100.0, {.target = 25.0}), 1.0F) << "already there";
}

TEST(Optimizer, TakesNoPolyakStepWithoutAGradient) {
  std::vector<float> theta{3.0F};
  Optimizer optimizer(Polyak{}, 1);
  optimizer.step(theta, std::vector<float>{0.0F}, {.loss = 1.0});
  EXPECT_EQ(theta[0], 3.0F);
  optimizer.step(theta, std::vector<float>{1e-44F}, {.loss = 1.0});
  EXPECT_TRUE(std::isfinite(theta[0]));
}

TEST(Optimizer, HandsOverToAFreshAdam) {
  constexpr std::size_t count = 33;
  std::vector<float> theta = random_vector(count, 0);
  Optimizer optimizer(Polyak{.learning_rate = 0.02, .steps = 3}, count);
  for (std::uint64_t step = 1; step <= 3; ++step) {
    optimizer.step(theta, random_vector(count, step), {.loss = 1.0, .target = 0.1});
  }
  std::vector<float> expected = theta;
  Optimizer adam(Adam{.learning_rate = 0.02}, count);
  for (std::uint64_t step = 4; step <= 20; ++step) {
    const std::vector<float> gradient = random_vector(count, step);
    const StepInputs inputs{.scale = 0.9, .gradient_scale = 0.5, .loss = 1.0, .target = 0.1};
    optimizer.step(theta, gradient, inputs);
    adam.step(expected, gradient, inputs);
    EXPECT_EQ(theta, expected) << step;
  }
}

TEST(Optimizer, RefusesVectorsOfAnotherSize) {
  Optimizer optimizer(Adam{}, 3);
  std::vector<float> theta(4);
  EXPECT_THROW(optimizer.step(theta, theta), InternalError);
}

TEST(Optimizer, WritesItsOptionsAsJson) {
  EXPECT_EQ(to_json(OptimizerOptions(Adam{.learning_rate = 0.01})).dump(),
            R"({"kind":"adam","learning_rate":0.01,"beta1":0.9,"beta2":0.999,"epsilon":1e-08})");
  EXPECT_EQ(to_json(OptimizerOptions(Sgd{})).dump(),
            R"({"kind":"sgd","learning_rate":0.1,"momentum":0.0,"nesterov":false})");
  EXPECT_EQ(to_json(OptimizerOptions(RmsProp{})).at("kind"), "rms_prop");
  EXPECT_EQ(to_json(OptimizerOptions(Polyak{})).dump(),
            R"({"kind":"polyak","learning_rate":0.01,"cap":0.3,"aim":0.999,"steps":300})");
}

}  // namespace
}  // namespace isthmus
