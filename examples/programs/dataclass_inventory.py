"""An inventory of dataclasses: ordering, defaults, replacing."""
from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace


@dataclass(order=True, frozen=True)
class Item:
    name: str
    price: float
    tags: tuple[str, ...] = ()


@dataclass
class Inventory:
    stock: dict[Item, int] = field(default_factory=dict)

    def add(self, item: Item, count: int = 1) -> Inventory:
        self.stock[item] = self.stock.get(item, 0) + count
        return self

    @property
    def value(self) -> float:
        return round(sum(item.price * count for item, count in self.stock.items()), 2)


pen = Item("pen", 1.2, ("office",))
inventory = Inventory().add(pen, 10).add(Item("desk", 249.0)).add(replace(pen, price=1.1), 5).add(pen)
for item, count in sorted(inventory.stock.items()):
    print(count, item)
value = inventory.value
cheapest = asdict(min(inventory.stock, key=lambda item: item.price))
print("value", value)
del inventory, item, count
