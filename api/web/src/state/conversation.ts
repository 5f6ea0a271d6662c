/** The questions before the present one, which a follow-up may point back to, and what was answered. */
import { go, parameters } from './address';
import { formatQuery, parseQuery } from './query';

export const turns = parameters('turn');

/** Answers of this visit, by their questions; after a reload the questions alone are known. */
const answers = new Map<string, string>();

export interface Turn {
  question: string;
  answer: string;
  address: string;
}

/** Return the turns before the present question, each with the address that asks it again. */
export function earlierTurns(): Turn[] {
  return turns.value.map((question, number) => {
    const before = turns.value.slice(0, number);
    return { question, answer: answers.get(keyOf(before, question)) ?? '', address: addressOf(before, question) };
  });
}

/** Keep what was answered to the present question. */
export function keepAnswer(question: string, text: string): void {
  answers.set(keyOf(turns.value, question), text);
}

/** Ask on, with the filters of the present question where the new one has none. */
export function askOn(present: string, words: string): void {
  const next = parseQuery(words);
  const filters = next.filters.length ? next.filters : parseQuery(present).filters;
  go(addressOf([...turns.value, present], formatQuery({ words: next.words, filters })));
}

function keyOf(before: string[], question: string): string {
  return JSON.stringify([...before, question]);
}

function addressOf(before: string[], question: string): string {
  const all = new URLSearchParams(before.map((turn) => ['turn', turn]));
  all.set('q', question);
  return `/?${all.toString()}`;
}
