import { useEffect, useState } from 'preact/hooks';

import { request } from '../api/client';
import { pictureOf } from '../api/pictures';
import type { Part, Text } from '../api/types';
import { BoxedPicture } from '../parts/BoxedPicture';
import { ErrorNote } from '../parts/ErrorNote';
import { change, parameter } from '../state/address';
import { useAsset } from '../state/asset';
import { useKeys } from '../state/keys';
import { t } from '../state/messages';

const PAGE_PX = 160;
const page = parameter('page');

/** A document, page by page: `/d/ID?page=n`; or a photo: `/p/ID`. */
export function Document({ id }: { id: string }) {
  const { asset, error } = useAsset(id);
  const pages = asset?.pages ?? 1;
  const number = Math.min(pages, Math.max(1, Number(page.value) || 1));
  const turn = (by: number) => () => change({ page: String(Math.min(pages, Math.max(1, number + by))) }, true);
  useKeys({ j: turn(1), k: turn(-1), ArrowRight: turn(1), ArrowLeft: turn(-1) }, [pages, number]);
  const [texts, setTexts] = useState<Text[]>([]);
  const [showsBoxes, setShowsBoxes] = useState(false);
  useEffect(() => {
    const asked = new AbortController();
    setTexts([]);
    const only = asset?.kind === 'document' ? `&page=${number}` : '';
    if (asset) {
      request<Part<Text>>('GET', `/v1/assets/${id}/texts?limit=500${only}`, undefined, asked.signal)
        .then((part) => setTexts(part.items))
        .catch(() => undefined); // The page is shown without its text.
    }
    return () => asked.abort();
  }, [asset, number]);
  if (error) return <ErrorNote error={error} />;
  if (!asset) return null;
  const boxes = showsBoxes ? texts.flatMap((text) => text.lines.map((line) => line.box)) : [];
  const place = { ...asset, start_s: null, end_s: null, page: asset.kind === 'document' ? number : null, box: null };
  return (
    <div class="document">
      <h1>{asset.name}</h1>
      {asset.kind === 'document' && (
        <ol class="pages" aria-label={t('library.pages', { count: pages })}>
          {Array.from({ length: pages }, (_, index) => index + 1).map((each) => (
            <li>
              <a href={`/d/${id}?page=${each}`} aria-current={each === number ? 'page' : undefined}>
                <img
                  src={pictureOf({ asset: id, kind: 'document', start_s: null, page: each }, PAGE_PX)}
                  alt={t('proof.page', { page: each })}
                  loading="lazy"
                  decoding="async"
                  width={80}
                  height={110}
                />
              </a>
            </li>
          ))}
        </ol>
      )}
      <p>
        <label>
          <input type="checkbox" checked={showsBoxes} onChange={() => setShowsBoxes(!showsBoxes)} /> {t('document.boxes')}
        </label>
      </p>
      <BoxedPicture place={place} boxes={boxes} texts={texts} />
    </div>
  );
}
