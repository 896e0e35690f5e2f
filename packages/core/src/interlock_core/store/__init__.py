"""The database of Interlock: SQLite in a file for one machine, PostgreSQL for many.

SQL is portable, placeholders are `?`. Each part owns the tables that begin with its branch's name.

```python
async with await Store.open("sqlite:///interlock.db") as store:
    async with store.transaction() as transaction:
        await transaction.execute("INSERT INTO audit_records (id) VALUES (?)", ("r1",))
```
"""

from interlock_core.store._model import Branch, Database, Params, Row, SqlValue, Transaction
from interlock_core.store._store import Store

__all__ = ["Branch", "Database", "Params", "Row", "SqlValue", "Store", "Transaction"]
