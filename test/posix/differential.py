"""Makes the same calls in a folder of a mount and in folders of local disks, and sets the outcomes side by side.

    differential.py [--seed N] [--calls N] [--every N] [--some FOLDER] MOUNT LOCAL...

`--some` is a local folder in which calls on bytes and times alone are made (a disk takes long to make and remove
files); `--every` leaves out all but one of so many cases that are like each other.

Prints one JSON document: assertions by group, those that differ from every local disk, and how many differ for a
reason that the README of vfs gives.
"""
import argparse
import json
import os
import sys

import data_cases
import name_cases
import path_cases
import random_calls
import time_cases
from refusals import reason_for
from world import World


def notes_of(folder, options, parts):
    w = World(os.path.abspath(folder), options.every)
    for part in parts:
        w.passed = 0
        part.run(w)
    if path_cases in parts:
        random_calls.run(w, options.seed, options.calls)
    w.leave()
    return w.notes


def numbered(notes):
    """Notes by what they are of; the nth of the same thing has the number n."""
    seen, outcomes = {}, {}
    for group, what, outcome in notes:
        nth = seen[group, what] = seen.get((group, what), 0) + 1
        outcomes[group, what, nth] = outcome
    return outcomes


def compare(subject, locals_):
    groups, refused, different = {}, {}, []
    mine, theirs = numbered(subject), [numbered(notes) for notes in locals_]
    # What only one of them got to (the bytes of a file that could be opened) counts as well.
    for key in dict.fromkeys([*mine, *(key for one in theirs for key in one)]):
        group, what, _ = key
        groups[group] = groups.get(group, 0) + 1
        outcome, local = mine.get(key), [one[key] for one in theirs if key in one]
        if outcome in local:
            continue
        why = reason_for(group, what, outcome, local)
        if why is None:
            different.append({'group': group, 'call': what, 'mount': outcome, 'local': local})
        else:
            refused[why] = refused.get(why, 0) + 1
    return {'groups': groups, 'refused': refused, 'different': different}


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--calls', type=int, default=3000)
    parser.add_argument('--every', type=int, default=1)
    parser.add_argument('--some')
    parser.add_argument('folders', nargs='+')
    options = parser.parse_args()
    every = (path_cases, name_cases, data_cases, time_cases)
    subject, *locals_ = [notes_of(f, options, every) for f in options.folders]
    if options.some:
        locals_.append(notes_of(options.some, options, (data_cases, time_cases)))
    json.dump(compare(subject, locals_), sys.stdout, default=str)
