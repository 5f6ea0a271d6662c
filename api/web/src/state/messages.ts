/** All texts of the page, in the reader's language. */
import { computed, signal } from '@preact/signals';

import { en } from '../messages/en';
import { ko } from '../messages/ko';

export type MessageKey = keyof typeof en;
export type Language = 'en' | 'ko';
const MESSAGES: Record<Language, Record<MessageKey, string>> = { en, ko };
const STORED = 'afterimage.language';

function preferred(): Language {
  const stored = localStorage.getItem(STORED);
  const wanted = stored ?? navigator.languages.find((language) => /^(en|ko)\b/.test(language)) ?? 'en';
  return wanted.startsWith('ko') ? 'ko' : 'en';
}

export const language = signal<Language>(preferred());
const plural = computed(() => new Intl.PluralRules(language.value));

export function chooseLanguage(chosen: Language): void {
  localStorage.setItem(STORED, chosen);
  language.value = chosen;
}

/** Return a text; `{name}` in it is replaced, and of "one|other" the form for `count` is taken. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  const forms = MESSAGES[language.value][key].split('|');
  const isOne = typeof values['count'] === 'number' && plural.value.select(values['count']) === 'one';
  const form = forms.length > 1 && !isOne ? forms[1] : forms[0];
  return (form ?? '').replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? new Intl.NumberFormat(language.value).format(value) : (value ?? '');
  });
}
