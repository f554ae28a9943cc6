"""Any OpenAI-compatible language model: asked within its limits, every answer kept."""

from interp_embed.llm.answers import AnswerStore, StoredCall
from interp_embed.llm.batch_records import BatchRecord, BatchRecords
from interp_embed.llm.budget import Budget
from interp_embed.llm.clock import Clock, RealClock
from interp_embed.llm.openai_llm import OpenAILLM, load_llm
from interp_embed.llm.prices import Price
from interp_embed.llm.protocol import LLM, Ask, Job
from interp_embed.llm.records import (
    Answer,
    CostEstimate,
    Failure,
    Message,
    Plan,
    Request,
    TokenUse,
    Usage,
    add_estimates,
)
from interp_embed.llm.scripted import ScriptedLLM

__all__ = [
    "LLM",
    "Answer",
    "AnswerStore",
    "Ask",
    "BatchRecord",
    "BatchRecords",
    "Budget",
    "Clock",
    "CostEstimate",
    "Failure",
    "Job",
    "Message",
    "OpenAILLM",
    "Plan",
    "Price",
    "RealClock",
    "Request",
    "ScriptedLLM",
    "StoredCall",
    "TokenUse",
    "Usage",
    "add_estimates",
    "load_llm",
]
