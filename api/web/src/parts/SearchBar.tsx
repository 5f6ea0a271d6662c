import { useEffect, useRef } from 'preact/hooks';

import { change, go, path } from '../state/address';
import { picture, query, searchWith } from '../state/finding';
import { useKeys } from '../state/keys';
import { t } from '../state/messages';
import { recent, remember } from '../state/recent';
import { formatFilter, formatQuery, parseQuery, type Filter } from '../state/query';
import { FilterPicker } from './FilterPicker';

/** The one bar: words and filters, typed or picked; filters are chips that can be taken away. */
export function SearchBar() {
  const field = useRef<HTMLInputElement>(null);
  const parsed = parseQuery(query.value);

  useEffect(() => {
    if (field.current) field.current.value = parsed.words;
  }, [query.value]);
  useKeys({
    '/': () => {
      field.current?.focus();
      field.current?.select();
    },
  });

  function submit(words: string, filters: Filter[]): void {
    const typed = parseQuery(words);
    const text = formatQuery({ words: typed.words, filters: [...filters, ...typed.filters] });
    remember(text);
    if (path.value === '/') change({ q: text, p: '', weaker: '', turn: '' });
    else go(text ? `/?${new URLSearchParams({ q: text }).toString()}` : '/');
  }

  function take(files: FileList | undefined): boolean {
    const image = [...(files ?? [])].find((file) => file.type.startsWith('image/'));
    if (!image) return false;
    if (path.value !== '/') go('/');
    void searchWith(image);
    return true;
  }

  return (
    <form
      class="bar"
      role="search"
      onPaste={(event) => {
        if (take(event.clipboardData?.files)) event.preventDefault();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        take(event.dataTransfer?.files);
      }}
      onSubmit={(event) => {
        event.preventDefault();
        submit(field.current?.value ?? '', parsed.filters);
      }}
    >
      <input
        ref={field}
        type="search"
        name="q"
        aria-label={t('bar.label')}
        placeholder={t('bar.placeholder')}
        autocomplete="off"
        enterkeyhint="search"
        maxLength={2000}
        list="recent"
      />
      <datalist id="recent">
        {recent.value.map((each) => (
          <option value={each} />
        ))}
      </datalist>
      {picture.value && (
        <button type="button" class="chip" aria-label={t('bar.removePicture')} onClick={() => void searchWith(null)}>
          <img src={picture.value.url} alt="" height={22} /> <span aria-hidden="true">✕</span>
        </button>
      )}
      {parsed.filters.length > 0 && (
        <ul class="chips" aria-label={t('bar.filters')}>
          {parsed.filters.map((filter, number) => (
            <li>
              <button
                type="button"
                class="chip"
                aria-label={t('bar.remove', { filter: formatFilter(filter) })}
                onClick={() => submit(parsed.words, parsed.filters.filter((_, other) => other !== number))}
              >
                {formatFilter(filter)} <span aria-hidden="true">✕</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <button type="submit">{t('bar.ask')}</button>
      <FilterPicker
        filters={parsed.filters}
        onPick={(filters) => submit(field.current?.value ?? '', filters)}
      />
    </form>
  );
}
