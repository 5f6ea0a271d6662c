/** Light or dark: as the system has it, until someone chooses. */
import { effect, signal } from '@preact/signals';

type Theme = 'light' | 'dark';
const STORED = 'afterimage.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function wanted(): Theme {
  const stored = localStorage.getItem(STORED);
  if (stored === 'light' || stored === 'dark') return stored;
  return system.matches ? 'dark' : 'light';
}

export const theme = signal<Theme>(wanted());
system.addEventListener('change', () => (theme.value = wanted()));

effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
});

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark';
  localStorage.setItem(STORED, theme.value);
}
