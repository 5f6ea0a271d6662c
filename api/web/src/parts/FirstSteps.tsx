import { useEffect, useState } from 'preact/hooks';

import { request } from '../api/client';
import type { Asset, Part } from '../api/types';
import { pictureOf, THUMBNAIL_PX } from '../api/pictures';
import { t } from '../state/messages';
import { addressOf } from './place';

const SHOWN = 12;

/** What is seen before a question: what was added last, or how to begin. */
export function FirstSteps() {
  const [assets, setAssets] = useState<Asset[] | null>(null);
  useEffect(() => {
    request<Part<Asset>>('GET', `/v1/assets?limit=${SHOWN}`)
      .then((part) => setAssets(part.items))
      .catch(() => undefined); // The bar works without it.
  }, []);
  if (!assets) return null;
  if (!assets.length) {
    return (
      <div class="empty">
        <p>{t('library.empty')}</p>
        <a class="button" href="/library">
          {t('library.add')}
        </a>
      </div>
    );
  }
  return (
    <ul class="grid">
      {assets.map((asset) => (
        <li>
          <a class="tile" href={addressOf({ ...asset, start_s: null, end_s: null, page: 1 })}>
            <img
              src={pictureOf({ ...asset, start_s: 0, page: 1 }, THUMBNAIL_PX)}
              alt=""
              loading="lazy"
              decoding="async"
              width={160}
              height={90}
            />
            <span class="tile-name">{asset.name}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
