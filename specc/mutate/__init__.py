"""Mutation testing for numbers: which faults a spec's goldens catch, and what they cry wolf at.

``fault`` says what a fault is, ``faults`` are those that come along, ``variants`` the honest
changes that must pass, ``rules`` the ways to judge that are compared, ``run`` puts one fault at a
time into a spec's case. Non-goals: making goldens, judging machines.
"""
