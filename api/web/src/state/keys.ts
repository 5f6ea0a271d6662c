/** Keys of the whole page; those of a player are its own. */
import { signal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';

export const helpIsOpen = signal(false);

type Action = (event: KeyboardEvent) => void;
const actions = new Map<string, Action[]>();

/**
 * Do something when keys are pressed outside of fields, as long as a part of the page is there; of several the latest
 * acts. `inputs` are what the actions depend on.
 */
export function useKeys(keys: Record<string, Action>, inputs: unknown[] = []): void {
  // Before the part is drawn: whoever sees it can use its keys.
  useLayoutEffect(() => {
    const ends = Object.entries(keys).map(([key, action]) => onKey(key, action));
    return () => ends.forEach((end) => end());
  }, inputs);
}

function onKey(key: string, action: Action): () => void {
  const list = actions.get(key) ?? [];
  actions.set(key, [...list, action]);
  return () => {
    actions.set(key, (actions.get(key) ?? []).filter((each) => each !== action));
  };
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

addEventListener('keydown', (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target) && event.key !== 'Escape') return;
  const isButton = event.target instanceof Element && event.target.closest('button, a, summary, video') !== null;
  if (isButton && (event.key === ' ' || event.key === 'Enter')) return;
  const action = actions.get(event.key)?.at(-1);
  if (!action) return;
  event.preventDefault();
  action(event);
});

onKey('?', () => (helpIsOpen.value = true));
