"""Constitutional AI (Bai et al. 2022): drafts, critiques, revisions, fine-tuning, AI preferences, soft-label DPO."""
