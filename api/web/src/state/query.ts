/** What is typed into the bar: words, and filters such as `kind:video` or `in:"harbour tour"`. */
import type { SearchBody } from '../api/types';

export const FILTERS = ['collection', 'kind', 'after', 'before', 'in'] as const;
export type FilterName = (typeof FILTERS)[number];

export interface Filter {
  name: FilterName;
  value: string;
}

export interface Query {
  words: string;
  filters: Filter[];
}

const TOKEN = /(?:^|\s)(collection|kind|after|before|in):(?:"([^"]*)"|(\S+))/giu;
export const KINDS = ['video', 'document', 'image'] as const;
type Kind = (typeof KINDS)[number];

/** Take the filters out of a text. */
export function parseQuery(text: string): Query {
  const filters: Filter[] = [];
  const words = text.replace(TOKEN, (_, name: string, quoted?: string, plain?: string) => {
    filters.push({ name: name.toLowerCase() as FilterName, value: quoted ?? plain ?? '' });
    return ' ';
  });
  return { words: words.replace(/\s+/gu, ' ').trim(), filters };
}

/** Return a query as the text that it is parsed from. */
export function formatQuery(query: Query): string {
  return [query.words, ...query.filters.map(formatFilter)].filter(Boolean).join(' ');
}

export function formatFilter(filter: Filter): string {
  return `${filter.name}:${/\s/u.test(filter.value) ? `"${filter.value}"` : filter.value}`;
}

/** Return the filters as the API has them. `assets` are the ids of what `in:` names. */
export function toBody(query: Query, assets: string[]): Omit<SearchBody, 'question' | 'weaker'> {
  const values = (name: FilterName): string[] =>
    query.filters.filter((filter) => filter.name === name).map((filter) => filter.value);
  const kinds = values('kind').filter((kind): kind is Kind => (KINDS as readonly string[]).includes(kind));
  const [after, before] = [values('after')[0], values('before')[0]];
  return {
    ...(values('collection').length ? { collections: values('collection') } : {}),
    ...(kinds.length ? { kinds } : {}),
    ...(after ? { after } : {}),
    ...(before ? { before } : {}),
    ...(values('in').length ? { assets } : {}),
  };
}
