"""A traffic light of enums and pattern matching."""
from enum import Enum, Flag, auto


class Light(Enum):
    RED = 30
    GREEN = 25
    AMBER = 5

    @property
    def following(self):
        match self:
            case Light.RED:
                return Light.GREEN
            case Light.GREEN:
                return Light.AMBER
            case _:
                return Light.RED


class Right(Flag):
    READ = auto()
    WRITE = auto()


light, clock, history = Light.RED, 0, []
while clock < 120:
    history.append((clock, light.name))
    clock += light.value
    light = light.following
print(*history, sep="\n")
rights = str(Right.READ | Right.WRITE)
print(rights, Light(5), list(Light))
