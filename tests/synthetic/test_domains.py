import re
from itertools import combinations

import pytest

from interp_embed.errors import InputError
from interp_embed.synthetic import domain_names, load_domain

FUNCTION_WORDS = (
    "a about after again all am an and any anyone anything are as at away back be because been "
    "before being both but by came can come could couldn did do does don done down each else even "
    "every everybody everything everyone few for from full get gets give go going got had half has "
    "have he her here him his how i if in into is it its just keep know last left let like ll "
    "lot made make many may me mine more most much must my myself near need nearly never no nobody "
    "not nothing of off on once one only or other our out over own people please put re right s "
    "said same see she should so some somebody something such t than that the their them then "
    "there these they thing things this those three through time to too took two under until up "
    "us ve very want was way we well went were what when where which while who whoever whole why "
    "will with won would you your yours"
)


def content_words(template):
    return set(re.findall(r"[a-z]+", template.lower())) - set(FUNCTION_WORDS.split())


@pytest.fixture(params=["reviews", "comments"])
def domain(request):
    return load_domain(request.param)


def test_both_domains_are_there():
    assert domain_names() == ("comments", "reviews")


def test_every_domain_has_many_concepts_with_many_paraphrases(domain):
    assert len(domain.concepts) >= 24
    assert min(len(concept.paraphrases) for concept in domain.concepts) >= 12
    assert sum(len(topic.sentences) for topic in domain.filler) >= 60


def test_no_sentence_serves_twice(domain):
    sentences = [p for concept in domain.concepts for p in concept.paraphrases]
    sentences += [s for topic in domain.filler for s in topic.sentences]
    sentences += [*domain.openers, *domain.closers]
    folded = [sentence.casefold().rstrip(".!?") for sentence in sentences]

    assert len(set(folded)) == len(folded)


def test_some_paraphrases_of_a_concept_share_no_content_word(domain):
    for concept in domain.concepts:
        words = [content_words(template) for template in concept.paraphrases]
        disjoint = [not first & second for first, second in combinations(words, 2)]
        assert sum(disjoint) / len(disjoint) > 0.4, concept.name


def test_descriptions_are_distinct_and_valences_of_both_signs_suffice(domain):
    assert len({concept.description for concept in domain.concepts}) == len(domain.concepts)
    assert sum(concept.valence == 1 for concept in domain.concepts) >= 5
    assert sum(concept.valence == -1 for concept in domain.concepts) >= 5


def test_every_slot_has_values_in_every_cast(domain):
    templates = [p for concept in domain.concepts for p in concept.paraphrases]
    templates += [s for topic in domain.filler for s in topic.sentences]
    templates += [*domain.openers, *domain.closers]
    used = {slot for template in templates for slot in re.findall(r"\{(\w+)\}", template)}

    for cast in domain.casts:
        assert used <= set(domain.slots) | set(cast)
    assert domain.once <= used


def test_sentences_are_plain_ascii_and_end_like_sentences(domain):
    for concept in domain.concepts:
        for template in concept.paraphrases:
            assert template.isascii()
            assert template[-1] in ".!?", template


def test_no_article_stands_before_a_slot_that_may_start_with_a_vowel(domain):
    templates = [p for concept in domain.concepts for p in concept.paraphrases]
    templates += [s for topic in domain.filler for s in topic.sentences]

    assert not [t for t in templates if re.search(r"\ban? \{(?!role)", t)]


def test_an_unknown_domain_is_refused_with_the_closest_name():
    with pytest.raises(InputError, match="no domain 'review'; did you mean 'reviews'"):
        load_domain("review")
