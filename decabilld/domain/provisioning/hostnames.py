"""Names of servers: adjective-animal-xxxxx, one DNS label.

Owns the words and the choice; whether a name is taken only the tenant's state knows.
"""

import hashlib

_ADJECTIVES = """
able agile airy amber apt bold brave breezy bright brisk calm candid cheery chief civic clear clever coral
cosy crisp curious dapper daring deft eager early easy fair famous fleet fond frank free fresh gentle glad
golden grand happy hardy honest humble jolly keen kind lively loyal lucid lucky mellow merry mild neat nimble
noble patient plucky polite proud quick quiet ready robust rosy serene sharp silver smart snug sober solid
steady sunny swift tidy vivid warm wise witty
"""
_ANIMALS = """
albatross alpaca antelope badger beaver bison bittern bobcat buffalo camel caribou chamois cheetah chinchilla
condor cormorant crane curlew deer dolphin dormouse eagle egret eider elk falcon ferret finch flamingo fox
gannet gazelle gecko gibbon giraffe goldfinch grouse hare hedgehog heron ibex ibis jackdaw jaguar kestrel
kingfisher kiwi koala lapwing lark lemming lemur leopard linnet lynx magpie marmot marten moose narwhal
nightingale ocelot octopus oriole osprey otter owl panda partridge pelican penguin plover puffin quail quokka
raccoon raven reindeer robin salmon seal siskin sparrow squirrel starling stork swallow swan tapir tern thrush
tortoise toucan turtle vicuna walrus weasel wolf wombat wren yak zebra
"""
ADJECTIVES, ANIMALS = tuple(_ADJECTIVES.split()), tuple(_ANIMALS.split())
TAIL_SIGNS = "23456789bcdfghjkmnpqrstvwxz"
"""No look-alikes (0 o, 1 l i), and no vowels: five of these spell nothing."""
TAIL_LENGTH = 5


def hostname(entropy: bytes | str) -> str:
    """The name that belongs to this entropy (an id, random bytes). Two differ but for once in 10^11.

    Within 63 characters of [a-z0-9-], begins with a letter: a DNS label (RFC 1035).
    """
    seed = entropy.encode() if isinstance(entropy, str) else entropy
    number = int.from_bytes(hashlib.sha256(b"hostname\x1f" + seed).digest())
    number, adjective = divmod(number, len(ADJECTIVES))
    number, animal = divmod(number, len(ANIMALS))
    tail = ""
    for _ in range(TAIL_LENGTH):
        number, sign = divmod(number, len(TAIL_SIGNS))
        tail += TAIL_SIGNS[sign]
    return f"{ADJECTIVES[adjective]}-{ANIMALS[animal]}-{tail}"
