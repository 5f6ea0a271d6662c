/** The search and the answer that the address asks for. */
import { batch, computed, effect, signal, type Signal } from '@preact/signals';

import { ApiError, request, toApiError } from '../api/client';
import { stream } from '../api/events';
import type { Answer, AskBody, Asset, Evidence, EvidenceEvent, Found, Hit, Part, SearchBody, Sentence } from '../api/types';
import { parameter, path } from './address';
import { keepAnswer, turns } from './conversation';
import { parseQuery, toBody, type Query } from './query';

export type Progress = 'idle' | 'running' | 'done' | 'failed';

/** Chosen: three screens of results. */
const HITS = 60;
/** Form: the most earlier questions that the API takes. */
const PREVIOUS = 20;
/** Form: the most that one request lists; a name that more files have restricts to the newest of them. */
const NAMED = 500;

export const query = parameter('q');
/** A picture that is searched with; the address cannot hold it, so a reload forgets it. */
export interface SoughtPicture {
  base64: string;
  url: string;
}
export const picture = signal<SoughtPicture | null>(null);
const weaker = parameter('weaker');

const found = signal<Hit[]>([]);
/** Results that are no better than what unrelated questions find have scores of at most this. */
const WEAK = 0.5;
const strong = computed(() => found.value.filter((hit) => hit.score > WEAK));
const shown = computed(() => (weaker.value === '1' ? found.value : strong.value));
/** Whether the results of a file stand together. */
export const grouped = parameter('group');
/** The results that are shown, in their order on the page: best first, or file by file, that of the best one first. */
export const hits = computed<Hit[]>(() => (grouped.value ? hitsByAsset(shown.value) : shown.value));
/** How many more there are below the cut. */
export const hidden = computed(() => found.value.length - hits.value.length);

function hitsByAsset(all: Hit[]): Hit[] {
  const byAsset = new Map<string, Hit[]>();
  for (const hit of all) byAsset.set(hit.asset, [...(byAsset.get(hit.asset) ?? []), hit]);
  return [...byAsset.values()].flat();
}
export const searching = signal<Progress>('idle');
export const searchError = signal<ApiError | null>(null);

export const sentences = signal<Sentence[]>([]);
export const evidence = signal<Evidence[]>([]);
export const answer = signal<Answer | null>(null);
export const answering = signal<Progress>('idle');
export const answerError = signal<ApiError | null>(null);

let running = new AbortController();

/** Ask again what the address asks for. */
export function findAgain(): void {
  find(query.value);
}

function find(text: string): void {
  running.abort();
  running = new AbortController();
  const parsed = parseQuery(text);
  const image = picture.value?.base64 ?? null;
  const isAsked = parsed.words !== '' && image === null;
  batch(() => {
    searchError.value = answerError.value = null;
    sentences.value = [];
    evidence.value = [];
    answer.value = null;
    searching.value = parsed.words || image ? 'running' : 'idle';
    answering.value = isAsked ? 'running' : 'idle';
    if (searching.value === 'idle') found.value = [];
  });
  if (searching.value === 'idle') return;
  const aborted = running.signal;
  void findNamed(parsed, aborted).then(
    (assets) => {
      const filter = toBody(parsed, assets);
      const seek = (question: string) => void search({ question, image, limit: HITS, weaker: true, ...filter }, aborted);
      const asked = turns.value.map((turn) => parseQuery(turn).words).filter(Boolean);
      const previous = asked.slice(-PREVIOUS);
      // What a follow-up is about is known with its evidence.
      const isFollowUp = isAsked && previous.length > 0;
      if (!isFollowUp) seek(parsed.words);
      if (isAsked) void ask({ question: parsed.words, previous, ...filter }, aborted, isFollowUp ? seek : null);
    },
    (error: unknown) => {
      if (aborted.aborted) return;
      fail(searching, searchError, error);
      answering.value = 'idle';
    },
  );
}

/** Return the ids of the assets that `in:` names. */
async function findNamed(parsed: Query, signal: AbortSignal): Promise<string[]> {
  const names = parsed.filters.filter((filter) => filter.name === 'in').map((filter) => filter.value);
  const parts = names.map((name) =>
    request<Part<Asset>>('GET', `/v1/assets?limit=${NAMED}&name=${encodeURIComponent(name)}`, undefined, signal),
  );
  return (await Promise.all(parts)).flatMap((part) => part.items.map((asset) => asset.asset));
}

function fail(progress: Signal<Progress>, shown: Signal<ApiError | null>, error: unknown): void {
  batch(() => {
    progress.value = 'failed';
    shown.value = toApiError(error);
  });
}

async function search(body: SearchBody, signal: AbortSignal): Promise<void> {
  try {
    const result = await request<Found>('POST', '/v1/search', body, signal);
    batch(() => {
      found.value = result.hits;
      searching.value = 'done';
    });
  } catch (error) {
    if (!signal.aborted) fail(searching, searchError, error);
  }
}

/** Searches, where that waits for what the question is about. */
type Seek = ((question: string) => void) | null;

async function ask(body: AskBody, signal: AbortSignal, seek: Seek): Promise<void> {
  let isSought = false;
  try {
    for await (const event of stream('POST', '/v1/ask', body, signal)) {
      if (event.name === 'evidence') {
        const gathered = event.data as EvidenceEvent;
        evidence.value = gathered.evidence;
        isSought = true;
        seek?.(gathered.query);
      }
      if (event.name === 'sentence') sentences.value = [...sentences.value, event.data as Sentence];
      if (event.name === 'answer') answer.value = event.data as Answer;
    }
    if (!answer.value) throw new ApiError(0, '');
    keepAnswer(query.value, answer.value.answer);
    answering.value = 'done';
  } catch (error) {
    if (signal.aborted) return;
    fail(answering, answerError, error);
    if (!isSought) seek?.(body.question);
  }
}

/** Search with a picture, beside the words that are there; null takes it away. */
export async function searchWith(file: Blob | null): Promise<void> {
  if (picture.value) URL.revokeObjectURL(picture.value.url);
  picture.value = file && { base64: await toBase64(file), url: URL.createObjectURL(file) };
}

function toBase64(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(',')[1] ?? '');
    reader.onerror = () => reject(new ApiError(0, reader.error?.message ?? ''));
    reader.readAsDataURL(file);
  });
}

/** Find whenever the address, or the picture, asks for something else. */
export function followAddress(): () => void {
  let last = '\n';
  return effect(() => {
    const wanted = path.value === '/' ? [...turns.value, query.value, picture.value?.url ?? ''].join('\n') : last;
    if (wanted === last) return;
    last = wanted;
    find(query.value);
  });
}
