# SPDX-License-Identifier: MIT
"""Two tiny transformers (attention, layer norm, GELU, tied embedding) that predict the next letter of a text, joined
at a loss in nats a letter."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

import isthmus

torch.set_num_threads(1)
LENGTH, LETTERS = 16, "abcdefghijklmnopqrstuvwxyz <"


def text(count: int, seed: int) -> torch.Tensor:
    """Sentences of a small grammar, in the manner of the treebank: lower case, <-marks for numbers and names."""
    generator = torch.Generator().manual_seed(seed)
    words = {
        "who": ["the company", "a spokesman", "mr. <", "the bank", "an analyst"],
        "does": ["said", "expects", "sold", "bought", "reported"],
        "what": ["the shares", "a profit of <", "the unit", "new bonds", "its stake"],
    }
    parts = []
    while sum(map(len, parts)) < count + 1:
        for options in words.values():
            parts.append(options[int(torch.randint(len(options), (1,), generator=generator))] + " ")
    letters = "".join(parts).replace(".", "")[: count + 1]
    return torch.tensor([LETTERS.index(letter) for letter in letters])


def windows(letters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = (len(letters) - 1) // LENGTH
    return letters[: rows * LENGTH].view(rows, LENGTH), letters[1 : rows * LENGTH + 1].view(rows, LENGTH)


class Transformer(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), width)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, width))
        self.attend = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, len(LETTERS), bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("mask", torch.triu(torch.full((LENGTH, LENGTH), -torch.inf), 1))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place
        y = self.norm1(x)
        x = x + self.attend(y, y, y, attn_mask=self.mask, need_weights=False)[0]
        return self.head(x + self.mlp(self.norm2(x)))


def loss(output: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), reduction=reduction)


def trained(model: Transformer, data: tuple[torch.Tensor, torch.Tensor], seed: int) -> Transformer:
    torch.manual_seed(seed)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, 0.0, 0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(250):
        batch = torch.randint(len(data[0]), (64,))
        optimizer.zero_grad()
        loss(model(data[0][batch]), data[1][batch]).backward()
        optimizer.step()
    return model.eval()


def main() -> isthmus.Path:
    train, test = windows(text(12000, 1)), windows(text(4000, 2))
    model = Transformer()
    ends = [trained(copy.deepcopy(model), train, seed) for seed in (1, 2)]
    objective = isthmus.torch.Objective(model, loss=loss, train=train, test=test)
    values = [isthmus.connect(objective, end, end, threshold=9.0, points=2).value_a for end in ends]
    threshold = round(1.1 * max(values), 2)
    print(f"losses of the two: {values[0]:.3f} and {values[1]:.3f} nats a letter; threshold {threshold}")
    path = isthmus.connect(
        objective, *ends, threshold=threshold, points=11, batch_size=64, learning_rate=0.005, max_steps=600
    )
    print(path)
    return path


if __name__ == "__main__":
    main()
