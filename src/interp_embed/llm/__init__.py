"""Any OpenAI-compatible language model: asked within its limits, every answer kept."""
