"""Loggers, levels and formats; warnings as log records."""
import logging
import sys
import warnings

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)-8s %(name)s %(filename)s:%(lineno)d %(message)s")
log = logging.getLogger("shop.orders")
log.debug("not shown")
log.info("order %d of %s", 17, "Ada")
log.getChild("payment").warning("declined: %(reason)s", {"reason": "limit"})
logging.captureWarnings(True)
warnings.warn_explicit("old interface", DeprecationWarning, "shop.py", 3)
try:
    {}["missing"]
except KeyError as error:
    log.error("no such key: %s", error)
levels = {name: logging.getLevelName(name) for name in ("INFO", "ERROR")}
del log
