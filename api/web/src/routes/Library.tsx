import { useEffect, useState } from 'preact/hooks';

import { ApiError, request, toApiError } from '../api/client';
import type { Asset, Collection, Part } from '../api/types';
import { ErrorNote } from '../parts/ErrorNote';
import { addressOf } from '../parts/place';
import { Uploads } from '../parts/Uploads';
import { change, parameter } from '../state/address';
import { formatTime } from '../state/format';
import { t, type MessageKey } from '../state/messages';
import { mayWrite } from '../state/session';

const PART = 100;
const name = parameter('name');
const collection = parameter('collection');

/** What the archive holds; files are added and deleted here. */
export function Library() {
  const [assets, setAssets] = useState<Asset[]>([]);
  const [after, setAfter] = useState<string | null>('');
  const [error, setError] = useState<ApiError | null>(null);
  const [collections, setCollections] = useState<Collection[]>([]);

  async function load(from: string): Promise<void> {
    try {
      const asked = new URLSearchParams({ limit: String(PART) });
      if (from) asked.set('after', from);
      if (name.value) asked.set('name', name.value);
      if (collection.value) asked.set('collection', collection.value);
      const part = await request<Part<Asset>>('GET', `/v1/assets?${asked.toString()}`);
      setAssets((before) => (from ? [...before, ...part.items] : part.items));
      setAfter(part.after);
      setError(null);
    } catch (problem) {
      setError(toApiError(problem));
    }
  }
  useEffect(() => void load(''), [name.value, collection.value]);
  useEffect(() => {
    request<Collection[]>('GET', '/v1/collections').then(setCollections, () => undefined); // The list works without.
  }, [assets.length]);

  async function erase(asset: Asset): Promise<void> {
    if (!confirm(t('library.deleteAsk', { name: asset.name }))) return;
    try {
      await request('DELETE', `/v1/assets/${asset.asset}`);
      setAssets((before) => before.filter((each) => each.asset !== asset.asset));
    } catch (problem) {
      setError(toApiError(problem));
    }
  }

  return (
    <>
      <h1>{t('library.title')}</h1>
      {mayWrite() && <Uploads collections={collections} onIndexed={() => void load('')} />}
      <div class="choice">
        <input
          type="search"
          aria-label={t('library.filter')}
          placeholder={t('library.filter')}
          value={name.value}
          onChange={(event) => change({ name: event.currentTarget.value }, true)}
        />
        <select
          aria-label={t('library.collection')}
          value={collection.value}
          onChange={(event) => change({ collection: event.currentTarget.value }, true)}
        >
          <option value="">{t('library.allCollections')}</option>
          {collections.map((each) => (
            <option value={each.name}>
              {each.name} ({each.assets})
            </option>
          ))}
        </select>
      </div>
      {error && <ErrorNote error={error} again={() => void load('')} />}
      {!assets.length && after === null && (
        <p>{name.value || collection.value ? t('found.none') : t('library.empty')}</p>
      )}
      {assets.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">{t('library.name')}</th>
              <th scope="col">{t('library.kind')}</th>
              <th scope="col">{t('library.length')}</th>
              <th scope="col">{t('library.passages')}</th>
              {mayWrite() && <td />}
            </tr>
          </thead>
          <tbody>
            {assets.map((asset) => (
              <tr>
                <th scope="row">
                  <a href={addressOf({ ...asset, start_s: null, end_s: null, page: 1 })}>{asset.name}</a>
                  {asset.gone && <span class="warning"> {t('library.gone')}</span>}
                </th>
                <td>{t(`kind.${asset.kind}` as MessageKey)}</td>
                <td>{lengthOf(asset)}</td>
                <td>{asset.segments}</td>
                {mayWrite() && (
                  <td>
                    <button
                      type="button"
                      class="quiet"
                      aria-label={`${t('library.delete')}: ${asset.name}`}
                      onClick={() => void erase(asset)}
                    >
                      {t('library.delete')}
                    </button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {after && (
        <button type="button" onClick={() => void load(after)}>
          {t('library.more')}
        </button>
      )}
    </>
  );
}

function lengthOf(asset: Asset): string {
  if (asset.duration_s !== null) return formatTime(asset.duration_s);
  return asset.pages === null ? '' : t('library.pages', { count: asset.pages });
}
