"""Nouns: each table with its own queries."""

from bankloom.models.account import Account
from bankloom.models.api_key import ApiKey
from bankloom.models.balance import BalanceSnapshot
from bankloom.models.base import Base
from bankloom.models.exchange_claim import ClaimState, ExchangeClaim
from bankloom.models.institution import Institution
from bankloom.models.item import Item, World
from bankloom.models.item_product import ItemProduct, ProductState
from bankloom.models.link_session import LinkSession
from bankloom.models.sync_run import RunStatus, SyncRun
from bankloom.models.transaction import Transaction, TransactionFilter, page_of_transactions
from bankloom.models.transaction_staging import StagedTransaction
from bankloom.models.user import User

__all__ = [
    "Account",
    "ApiKey",
    "BalanceSnapshot",
    "Base",
    "ClaimState",
    "ExchangeClaim",
    "Institution",
    "Item",
    "ItemProduct",
    "LinkSession",
    "ProductState",
    "RunStatus",
    "StagedTransaction",
    "SyncRun",
    "Transaction",
    "TransactionFilter",
    "User",
    "World",
    "page_of_transactions",
]
