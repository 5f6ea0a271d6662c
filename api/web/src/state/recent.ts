/** What was asked lately in this browser, the newest first. */
import { signal } from '@preact/signals';

const STORED = 'afterimage.recent';
/** Chosen: as many as a list shows without scrolling. */
const KEPT = 12;

function load(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? '[]');
    return Array.isArray(stored) ? stored.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}

export const recent = signal<string[]>(load());

export function remember(query: string): void {
  if (!query) return;
  recent.value = [query, ...recent.value.filter((each) => each !== query)].slice(0, KEPT);
  localStorage.setItem(STORED, JSON.stringify(recent.value));
}
