import { useState } from 'preact/hooks';

import { request } from '../api/client';
import type { Collection } from '../api/types';
import { helpIsOpen } from '../state/keys';
import { t } from '../state/messages';
import { KINDS, type Filter, type FilterName } from '../state/query';

interface Props {
  filters: Filter[];
  onPick: (filters: Filter[]) => void;
}

/** Filters to pick instead of typing them. */
export function FilterPicker({ filters, onPick }: Props) {
  const [collections, setCollections] = useState<Collection[]>([]);
  const valueOf = (name: FilterName): string => filters.find((filter) => filter.name === name)?.value ?? '';
  const has = (name: FilterName, value: string): boolean =>
    filters.some((filter) => filter.name === name && filter.value === value);

  function load(): void {
    request<Collection[]>('GET', '/v1/collections').then(setCollections, () => undefined); // They can still be typed.
  }

  /** Make a value the only one of its name; an empty one takes the filter away. */
  function set(name: FilterName, value: string): void {
    onPick([...filters.filter((filter) => filter.name !== name), ...(value ? [{ name, value }] : [])]);
  }

  function toggle(name: FilterName, value: string): void {
    const rest = filters.filter((filter) => filter.name !== name || filter.value !== value);
    onPick(rest.length < filters.length ? rest : [...rest, { name, value }]);
  }

  return (
    <details class="picker" onToggle={(event) => event.currentTarget.open && load()}>
      <summary>{t('bar.filters')}</summary>
      <div class="picker-fields">
        {KINDS.map((kind) => (
          <label>
            <input type="checkbox" checked={has('kind', kind)} onChange={() => toggle('kind', kind)} /> {t(`kind.${kind}`)}
          </label>
        ))}
        <select
          aria-label={t('library.collection')}
          value={valueOf('collection')}
          onChange={(event) => set('collection', event.currentTarget.value)}
        >
          <option value="">{t('library.allCollections')}</option>
          {collections.map((each) => (
            <option value={each.name}>{each.name}</option>
          ))}
        </select>
        {(['after', 'before'] as const).map((name) => (
          <label>
            {t(`picker.${name}`)}{' '}
            <input type="date" value={valueOf(name)} onChange={(event) => set(name, event.currentTarget.value)} />
          </label>
        ))}
        <button type="button" class="quiet" onClick={() => (helpIsOpen.value = true)}>
          {t('nav.help')}
        </button>
      </div>
    </details>
  );
}
