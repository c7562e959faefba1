"""Nouns: each table with its own queries."""

from bankloom.models.account import Account
from bankloom.models.api_key import ApiKey, Scope
from bankloom.models.audit_entry import AuditEntry
from bankloom.models.balance import BalanceSnapshot
from bankloom.models.base import Base
from bankloom.models.chore import Chore
from bankloom.models.console_session import ConsoleSession, SignInCode
from bankloom.models.counter import Counter
from bankloom.models.erasure import Erasure, Subject
from bankloom.models.exchange_claim import ClaimState, ExchangeClaim
from bankloom.models.institution import Institution
from bankloom.models.item import Item, ItemState, World
from bankloom.models.item_product import ItemProduct, ProductState
from bankloom.models.link_session import LinkPurpose, LinkSession, LinkState
from bankloom.models.pass_key import PassKey
from bankloom.models.plaid_budget import PlaidBudget
from bankloom.models.process import Process
from bankloom.models.sealed import SEALED, SealedColumn, SealedValue
from bankloom.models.sealing_key import SealingKey
from bankloom.models.self_test_key import SelfTestKey
from bankloom.models.sync_run import RunStatus, SyncRun
from bankloom.models.transaction import Transaction, TransactionFilter, page_of_transactions
from bankloom.models.transaction_staging import StagedTransaction
from bankloom.models.user import User
from bankloom.models.webhook_delivery import WebhookDelivery
from bankloom.models.webhook_refusal import WebhookRefusal

__all__ = [
    "SEALED",
    "Account",
    "ApiKey",
    "AuditEntry",
    "BalanceSnapshot",
    "Base",
    "Chore",
    "ClaimState",
    "ConsoleSession",
    "Counter",
    "Erasure",
    "ExchangeClaim",
    "Institution",
    "Item",
    "ItemProduct",
    "ItemState",
    "LinkPurpose",
    "LinkSession",
    "LinkState",
    "PassKey",
    "PlaidBudget",
    "Process",
    "ProductState",
    "RunStatus",
    "Scope",
    "SealedColumn",
    "SealedValue",
    "SealingKey",
    "SelfTestKey",
    "SignInCode",
    "StagedTransaction",
    "Subject",
    "SyncRun",
    "Transaction",
    "TransactionFilter",
    "User",
    "WebhookDelivery",
    "WebhookRefusal",
    "World",
    "page_of_transactions",
]
