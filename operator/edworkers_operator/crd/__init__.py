"""The CustomResourceDefinition of WorkerPools, made from the models that read them."""

from edworkers_operator.crd.definition import GROUP, HASH_ANNOTATION, NAME, VERSION, hash_of_crd, make_crd

__all__ = ["GROUP", "HASH_ANNOTATION", "NAME", "VERSION", "hash_of_crd", "make_crd"]
