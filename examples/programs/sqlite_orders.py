"""Tables, a join and a window function in SQLite."""
import sqlite3

db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row
db.executescript("""
    create table customers (id integer primary key, name text, city text);
    create table orders (id integer primary key, customer integer references customers, amount real, day text);
    insert into customers values (1, 'Ada', 'London'), (2, 'Grace', 'New York'), (3, 'Linus', 'Helsinki');
""")
db.executemany("insert into orders (customer, amount, day) values (?, ?, ?)", [
    (1, 120.0, "2024-01-03"), (2, 80.5, "2024-01-04"), (1, 42.25, "2024-02-01"), (2, 300.0, "2024-02-11")])

totals = db.execute("""
    select name, city, count(orders.id) as orders, coalesce(sum(amount), 0) as total
    from customers left join orders on orders.customer = customers.id
    group by customers.id order by total desc
""").fetchall()
for row in totals:
    print(f"{row['name']:<6} {row['city']:<9} {row['orders']} {row['total']:>8.2f}")

running = [tuple(row) for row in db.execute("select day, sum(amount) over (order by day) from orders")]
print(running)
db.close()
del row, db
