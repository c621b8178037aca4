"""The barbecue shop's stand-in for tests: ready only when it reaches MongoDB, and it migrates the data when it starts.

    shop serve    migrate as $PXBBQ_VERSION does, then answer on port 8080: /healthz, and / with two counts
    shop seed     load the shop's data into an empty database, the same every time
    shop count    print what is there

What the versions do to the data:
    v4.2          nothing
    v4.3          write every order again with the values that it has
    v4.3-lossy    the same, and lose the open orders of one day on the way
    v4.4          write every order again with the field `archived` on it
"""

import datetime
import http.server
import json
import os
import signal
import sys
import threading
import time

import bson
import pymongo

URI = os.environ.get("MONGO_URI", "mongodb://mongo:27017/pxbbq")
VERSION = os.environ.get("PXBBQ_VERSION", "v4.2")
ORDERS = int(os.environ.get("SHOP_ORDERS", "2000"))
REGISTRATIONS = int(os.environ.get("SHOP_REGISTRATIONS", "500"))
OPENED = datetime.datetime(2026, 1, 1)
MENU = ["brisket", "ribs", "pulled pork", "sausage", "slaw", "beans"]
STATUS = ["open", "paid", "served", "cancelled"]


def database():
    client = pymongo.MongoClient(URI, serverSelectionTimeoutMS=2000, appname=f"pxbbq-web/{VERSION}")
    return client.get_default_database("pxbbq")


def object_id(kind, number):
    """Deterministic: the same order has the same id in every run."""
    return bson.ObjectId(f"{0x65920000 + number * 60:08x}{kind:04x}{number:012x}")


def order(number):
    return {
        "_id": object_id(1, number),
        "number": number,
        "customer": object_id(2, number % REGISTRATIONS),
        "status": STATUS[(number * 7) % len(STATUS)],
        "items": [
            {"dish": MENU[(number + place) % len(MENU)], "quantity": 1 + (number * place) % 3}
            for place in range(1 + number % 4)
        ],
        "total": bson.Decimal128(f"{12 + number % 60}.{number * 37 % 100:02d}"),
        "created": OPENED + datetime.timedelta(minutes=11 * number),
    }


def registration(number):
    return {
        "_id": object_id(2, number),
        "name": f"Customer {number:05d}",
        "email": f"customer{number:05d}@example.com",
        "since": OPENED + datetime.timedelta(hours=number),
    }


def seed():
    shop = database()
    if shop.orders.find_one() is not None:
        sys.exit("the database has orders already; nothing was loaded")
    shop.orders.insert_many([order(number) for number in range(ORDERS)])
    shop.registrations.insert_many([registration(number) for number in range(REGISTRATIONS)])
    shop.orders.create_index([("status", 1), ("created", 1)])
    shop.registrations.create_index("email", unique=True)
    count()


def count():
    shop = database()
    print(json.dumps(counts(shop)))


def counts(shop):
    return {name: shop[name].count_documents({}) for name in ("orders", "registrations")}


def migrate(shop):
    if VERSION == "v4.2":
        return
    for found in list(shop.orders.find({})):
        if VERSION == "v4.4":
            found.setdefault("archived", False)
        shop.orders.replace_one({"_id": found["_id"]}, found)
    if VERSION.endswith("-lossy"):
        day = OPENED + datetime.timedelta(days=7)
        lost = {"status": "open", "created": {"$gte": day, "$lt": day + datetime.timedelta(days=1)}}
        print(f"archived {shop.orders.delete_many(lost).deleted_count} orders", flush=True)


class Shop(http.server.BaseHTTPRequestHandler):
    migrated = threading.Event()

    def do_GET(self):
        try:
            shop = database()
            shop.command("ping")
            ready = self.migrated.is_set()
            body = {"version": VERSION, "ready": ready}
            if self.path != "/healthz":
                body.update(counts(shop))
            self.answer(200 if ready else 503, body)
        except pymongo.errors.PyMongoError as error:
            self.answer(503, {"version": VERSION, "ready": False, "error": str(error)[:200]})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve():
    # the first process of a container is not ended by a signal that it does not handle
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = http.server.ThreadingHTTPServer(("", 8080), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        try:
            migrate(database())
            break
        except pymongo.errors.PyMongoError as error:
            print(f"waiting for MongoDB: {str(error)[:200]}", flush=True)
            time.sleep(1)
    print(f"{VERSION} serves", flush=True)
    Shop.migrated.set()
    threading.Event().wait()


if __name__ == "__main__":
    commands = {"serve": serve, "seed": seed, "count": count}
    name = sys.argv[1] if len(sys.argv) > 1 else "serve"
    if name not in commands:
        sys.exit(f"no such command: {name}; there are {', '.join(commands)}")
    commands[name]()
