/** What is looked at beside the answer: a citation by its id, or a result by its number (`h3`). */
import { computed } from '@preact/signals';

import type { Citation, Place } from '../api/types';
import { change, parameter } from './address';
import { evidence, hits, sentences } from './finding';

export interface Proof {
  id: string;
  place: Place;
  text: string;
  context: string[];
}

const chosen = parameter('p');

export const citations = computed<Citation[]>(() => {
  const all = sentences.value.flatMap((sentence) => sentence.citations);
  return all.filter((citation, number) => all.findIndex((other) => other.id === citation.id) === number);
});

/** What is shown: the chosen citation, evidence or result, else the first citation, else the first result. */
export const proof = computed<Proof | null>(() => {
  const number = /^h(\d+)$/.exec(chosen.value)?.[1];
  const hit = number === undefined ? undefined : hits.value[Number(number)];
  if (hit) return { id: chosen.value, place: hit, text: hit.text, context: hit.context };
  const known = [...citations.value, ...evidence.value];
  const citation = known.find((each) => each.id === chosen.value) ?? citations.value[0];
  if (citation) return { id: citation.id, place: citation, text: citation.quote, context: citation.context };
  const first = hits.value[0];
  return first ? { id: 'h0', place: first, text: first.text, context: first.context } : null;
});

export function show(id: string): void {
  change({ p: id }, true);
}

/** Show the next (1) or previous (-1) of some proofs. */
function step(ids: string[], by: number): void {
  const at = ids.indexOf(proof.value?.id ?? '');
  const next = ids[Math.min(ids.length - 1, Math.max(0, at + by))];
  if (next) show(next);
}

export function stepHit(by: number): void {
  step(hits.value.map((_, number) => `h${number}`), by);
}

export function stepCitation(by: number): void {
  step(citations.value.map((citation) => citation.id), by);
}
