// SPDX-License-Identifier: MIT
// What a network's JSON can say, and how a wrong field is named.
#include <gtest/gtest.h>

#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/net/network.h"

namespace isthmus {
namespace {

Network network_of(const std::string& layers, const std::string& input = "[1, 6, 8]") {
  return network_from_json(
      Json::parse(R"({"input": )" + input + R"(, "layers": [)" + layers + "]}"));
}

std::string refusal(const std::string& layers, const std::string& input = "[1, 6, 8]") {
  try {
    network_of(layers, input);
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

std::string conv(const std::string& fields) {
  return R"({"type": "conv2d", "out_channels": 2, "kernel": 3, )" + fields + "}";
}

// The padding as it is written again.
std::string padding(const std::string& value) {
  const Network network = network_of(conv(R"("padding": )" + value));
  return to_json(network)["layers"][0]["padding"].dump();
}

TEST(NetworkJson, APaddingIsWrittenAsItWasRead) {
  for (const char* value : {R"("valid")", R"("same")", "1", "[2,1]", "[0,4]"}) {
    EXPECT_EQ(padding(value), value);
  }
  EXPECT_EQ(padding("0"), R"("valid")");
  EXPECT_EQ(padding("[3,3]"), "3");
  EXPECT_EQ(shapes(network_of(conv(R"("stride": 2, "padding": [2, 1])"))).back(), (Shape{2, 4, 4}));
}

TEST(NetworkJson, AWrongPaddingListsWhatIsKnown) {
  const std::string known =
      "network: layer 0: field 'padding': expected \"valid\" (none), \"same\" (as many outputs as "
      "input / stride), a whole number in 0..2147483647 for all sides, or [rows, columns], found ";
  for (const char* value :
       {"\"full\"", "-1", "1.5", "[1]", "[1,2,3]", "[1,-1]", "null", "true", "2147483648"}) {
    EXPECT_EQ(refusal(conv(R"("padding": )" + std::string(value))), known + value);
  }
  EXPECT_EQ(
      refusal(R"({"type": "max_pool2d", "kernel": 3, "padding": [0, 2]})"),
      "network: layer 0: pooling: expected a padding of at most 1 (half the kernel), got (0, 2)");
}

TEST(NetworkJson, AveragesCountPaddingInNumbersUnlessToldNotTo) {
  const auto counts = [](const std::string& fields) {
    const Network network = network_of(R"({"type": "avg_pool2d", "kernel": 2)" + fields + "}");
    EXPECT_EQ(to_json(network_from_json(to_json(network))), to_json(network));
    return std::get<Pool2d>(network.layers[0]).count_padding;
  };
  EXPECT_FALSE(counts(""));
  EXPECT_FALSE(counts(R"(, "padding": "same")"));
  EXPECT_TRUE(counts(R"(, "padding": 1)"));
  EXPECT_FALSE(counts(R"(, "padding": 1, "count_include_pad": false)"));
  EXPECT_TRUE(counts(R"(, "padding": "same", "count_include_pad": true)"));
  // Files from before there was the field stay as they are.
  EXPECT_FALSE(
      to_json(network_of(R"({"type": "avg_pool2d"})"))["layers"][0].contains("count_include_pad"));
}

TEST(NetworkJson, WhatOnlyPyTorchHasIsNamed) {
  EXPECT_EQ(refusal(conv(R"("dilation": 2)")),
            "network: layer 0: field 'dilation': expected 1 (nothing else is covered), found 2");
  EXPECT_EQ(refusal(conv(R"("groups": 4)")),
            "network: layer 0: field 'groups': expected 1 (nothing else is covered), found 4");
  EXPECT_EQ(refusal(conv(R"("padding_mode": "reflect")")),
            "network: layer 0: field 'padding_mode': expected \"zeros\" (nothing else is covered), "
            "found \"reflect\"");
  EXPECT_EQ(refusal(R"({"type": "max_pool2d", "ceil_mode": true})"),
            "network: layer 0: field 'ceil_mode': expected false (nothing else is covered), found "
            "true");
  EXPECT_EQ(refusal(conv(R"("dilation": 1, "groups": 1)")), "accepted");
}

TEST(NetworkJson, EverySizeHasALimit) {
  struct Field {
    const char* before;
    const char* name;
    const char* after;
  };
  const Field fields[] = {
      {R"({"type": "conv2d", "kernel": 3, )", "out_channels", "}"},
      {R"({"type": "conv2d", "out_channels": 2, )", "kernel", "}"},
      {R"({"type": "conv2d", "out_channels": 2, "kernel": 3, )", "stride", "}"},
      {R"({"type": "max_pool2d", )", "kernel", "}"},
      {R"({"type": "avg_pool2d", )", "stride", "}"},
      {R"({"type": "local_response_norm", )", "size", "}"},
      {R"({"type": "flatten"}, {"type": "linear", )", "out_features", "}"},
      {R"({"type": "flatten"}, {"type": "lstm", )", "features", "}"},
      {R"({"type": "embedding", "features": 3, )", "tokens", "}"},
      {R"({"type": "embedding", "tokens": 3, )", "features", "}"},
  };
  for (const Field& field : fields) {
    for (const char* value : {"0", "-3", "2.5", "2147483648", "1e30", "\"3\"", "[3,3]", "null"}) {
      const std::string found =
          refusal(std::string(field.before) + '"' + field.name + "\": " + value + field.after);
      EXPECT_NE(found.find(std::string("field '") + field.name +
                           "': expected a whole number in 1..2147483647, found "),
                std::string::npos)
          << field.name << " " << value << ": " << found;
      EXPECT_EQ(found.rfind("network: layer ", 0), 0) << found;
    }
  }
}

TEST(NetworkJson, KernelAndStrideFitTheirInput) {
  EXPECT_EQ(
      refusal(R"({"type": "conv2d", "out_channels": 2, "kernel": 9, "padding": [1, 2]})"),
      "network: layer 0: conv2d: expected a kernel of at most 8 (what the input (1, 6, 8) and "
      "its padding have room for), got 9");
  const std::string pool = R"({"type": "max_pool2d", "stride": 1, "kernel": )";
  EXPECT_EQ(
      refusal(pool + "2147483647}"),
      "network: layer 0: pooling: expected a kernel of at most 6 (what the input (1, 6, 8) and "
      "its padding have room for), got 2147483647");
  EXPECT_EQ(
      refusal(pool + R"(18, "padding": "same"})"),
      "network: layer 0: pooling: expected a kernel of at most 17 (what the input (1, 6, 8) and "
      "its padding have room for), got 18");
  EXPECT_EQ(refusal(pool + R"(17, "padding": "same"})"), "accepted");
  EXPECT_EQ(
      refusal(conv(R"("stride": 17, "padding": 1)")),
      "network: layer 0: conv2d: expected a stride of at most 16 (the kernel, or the input (1, "
      "6, 8) with its padding), got 17");
  EXPECT_EQ(refusal(conv(R"("stride": 16, "padding": 1)")), "accepted");
}

TEST(NetworkJson, ProductsHaveALimit) {
  EXPECT_EQ(
      refusal(R"({"type": "flatten"}, {"type": "linear", "out_features": 2000000000})"),
      "network: layer 1: expected at most 2147483647 parameters in all layers up to here, got "
      "0 before a tensor of (2000000000, 48)");
  EXPECT_EQ(
      refusal(R"({"type": "lstm", "features": 2147483647})", "[1]"),
      "network: layer 0: expected at most 2147483647 parameters in all layers up to here, got "
      "0 before a tensor of (4, 2147483647, 1)");
  EXPECT_EQ(
      refusal(conv(R"("padding": 2147483647)")),
      "network: layer 0: expected at most 2147483647 numbers in the output of a sample, got (2, "
      "4294967298, 4294967300)");
  EXPECT_EQ(refusal(R"({"type": "linear", "out_features": 1})", "[4294967296, 4294967296]"),
            "network: expected an input shape of positive extents and at most 2147483647 numbers, "
            "got (4294967296, 4294967296)");
  const std::string wide = R"({"type": "linear", "out_features": 40000})";
  EXPECT_EQ(
      refusal(wide + "," + wide + "," + wide, "[2]"),
      "network: layer 2: expected at most 2147483647 parameters in all layers up to here, got "
      "1600160000 before a tensor of (40000, 40000)");
}

TEST(NetworkJson, TheNormalisationOfTheDataIsAnOption) {
  const Json json = Json::parse(
      R"({"input": [2], "normalise": {"mean": 0.1, "deviation": 0.3}, "layers": [{"type": "relu"}]})");
  try {
    network_from_json(json);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("--normalise MEAN:DEVIATION"), std::string::npos);
  }
}

}  // namespace
}  // namespace isthmus
