/** The address: all that a page shows can be reloaded, shared and gone back to. */
import { batch, computed, signal } from '@preact/signals';

export const path = signal(location.pathname);
export const params = signal(new URLSearchParams(location.search));

/** Go to an address of this page. `replace` leaves no way back to the present one. */
export function go(address: string, replace = false): void {
  if (replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  read();
}

/** Change parameters of the present address; an empty value takes one away. */
export function change(values: Record<string, string>, replace = false): void {
  const changed = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value) changed.set(name, value);
    else changed.delete(name);
  }
  const text = changed.toString();
  go(location.pathname + (text ? `?${text}` : ''), replace);
}

/** Return a parameter as a signal, empty where it is not there. */
export function parameter(name: string): { readonly value: string } {
  return computed(() => params.value.get(name) ?? '');
}

/** Return all values of a parameter that comes several times, as a signal. */
export function parameters(name: string): { readonly value: string[] } {
  return computed(() => params.value.getAll(name));
}

function read(): void {
  batch(() => {
    path.value = location.pathname;
    params.value = new URLSearchParams(location.search);
  });
}

addEventListener('popstate', read);

/** Follow links of this page without loading it anew. */
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  const isPlain = !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!link || !isPlain || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  const isPlaceOnPage = link.hash !== '' && link.pathname === location.pathname;
  if (isPlaceOnPage || /^\/(v1|docs|metrics)\b/.test(link.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
