#!/bin/sh
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Words that this project does not use, because it has another one for the thing; called by "make lint". The list is tools/words.txt.
set -eu
found=0
while IFS='	' read -r word instead; do
  case $word in '' | '#'*) continue ;; esac
  if git grep --line-number --ignore-case --perl-regexp -e "\\b(?:$word)\\b" -- . ':!tools/words.txt' ':!changelogs' ':!LICENSES' ':!LICENSE' ':!CONTRIBUTING.md'; then
    echo "words: write $instead" >&2
    found=1
  fi
done <tools/words.txt
exit "$found"
