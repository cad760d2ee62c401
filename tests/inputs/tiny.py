"""Tiny models with random weights, saved to disk by the libraries that people get theirs from."""

import json
from pathlib import Path

import torch

WORDS = "where is my parcel card please order a pizza will it rain today the report goes on and about no one ##s ##ing"
SPECIAL = ["<pad>", "<unk>", "<cls>", "<sep>", "<mask>"]


def tokenizer():
    """Return a tokenizer of word pieces, built by ``tokenizers``; it does not say how long a text may be."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = [*SPECIAL, *dict.fromkeys([*WORDS.split(), *letters, *(f"##{letter}" for letter in letters)])]
    model = models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>")
    whole = Tokenizer(model)
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    whole.post_processor = processors.TemplateProcessing(
        single="<cls> $A <sep>", special_tokens=[("<cls>", 2), ("<sep>", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=whole, **names)


def text_models() -> dict:
    """Return tiny models of texts, each of another architecture, with random weights."""
    import transformers as t

    n = len(tokenizer())
    small = {"vocab_size": n, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "pad_token_id": 0}
    small |= {"intermediate_size": 32, "max_position_embeddings": 40}
    torch.manual_seed(0)
    return {
        "bert": t.BertModel(t.BertConfig(**small)),
        "roberta": t.RobertaModel(t.RobertaConfig(**small)),
        "xlm-roberta": t.XLMRobertaModel(t.XLMRobertaConfig(**small)),
        "mpnet": t.MPNetModel(t.MPNetConfig(**small)),
        "electra": t.ElectraModel(t.ElectraConfig(**small, embedding_size=8)),
        "albert": t.AlbertModel(t.AlbertConfig(**small, embedding_size=8)),
        "deberta-v2": t.DebertaV2Model(t.DebertaV2Config(**small, relative_attention=True, pos_att_type=["p2c"])),
        "distilbert": t.DistilBertModel(
            t.DistilBertConfig(vocab_size=n, dim=24, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=40)
        ),
        "modernbert": t.ModernBertModel(
            t.ModernBertConfig(**{**small, "max_position_embeddings": 64}, cls_token_id=2, sep_token_id=3)
        ),
    }


def save_texts(folder: Path) -> dict[str, Path]:
    """Save tiny text models: one as a folder of sentence-transformers, the others as folders of transformers."""
    from sentence_transformers import SentenceTransformer

    for name, model in text_models().items():
        model.save_pretrained(folder / name)
        tokenizer().save_pretrained(folder / name)
    SentenceTransformer(str(folder / "mpnet"), device="cpu").save(str(folder / "sentence-mpnet"))
    return {place.name: place for place in sorted(folder.iterdir())}


def changed(folder: Path, file: str, **entries) -> None:
    """Change entries of a JSON file."""
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))
