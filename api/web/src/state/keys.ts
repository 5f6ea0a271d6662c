/** Keys of the whole page; those of a player are its own. */
import { signal } from '@preact/signals';

export const helpIsOpen = signal(false);

type Action = (event: KeyboardEvent) => void;
const actions = new Map<string, Action[]>();

/** Do something when a key is pressed outside of fields; returns what ends that. The latest one acts. */
export function onKey(key: string, action: Action): () => void {
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
