import { useState } from 'preact/hooks';

import { send } from '../api/client';
import { clipOf, LARGE_PX, pictureOf } from '../api/pictures';
import type { Place } from '../api/types';
import { go } from '../state/address';
import { searchWith } from '../state/finding';
import { useKeys } from '../state/keys';
import { t } from '../state/messages';
import { proof, stepCitation } from '../state/proof';
import { BoxedPicture } from './BoxedPicture';
import { HitTimeline } from './HitTimeline';
import { MemoryStrip } from './MemoryStrip';
import { Player } from './Player';
import { addressOf, nameOf } from './place';

/** What proves the sentence, or the result, that was chosen: the player at its second, or the page with its box. */
export function Proof() {
  useKeys({ '[': () => stepCitation(-1), ']': () => stepCitation(1), c: () => void copyLink() });
  const shown = proof.value;
  return (
    <section class="proof" aria-labelledby="proof-title">
      <h2 id="proof-title">{t('proof.title')}</h2>
      {shown ? (
        <>
          <ProofOf place={shown.place} />
          {shown.context.length > 0 && <p class="quiet context">{shown.context.join(' › ')}</p>}
          {shown.text && <blockquote>{shown.text}</blockquote>}
        </>
      ) : (
        <p class="quiet">{t('proof.none')}</p>
      )}
    </section>
  );
}

function ProofOf({ place }: { place: Place }) {
  const isVideo = place.kind === 'video' && place.start_s !== null;
  return (
    <>
      {isVideo ? (
        <Player key={place.asset} asset={place.asset} startS={place.start_s ?? 0} endS={place.end_s} />
      ) : (
        <BoxedPicture place={place} boxes={place.box ? [place.box] : []} />
      )}
      <p class="proof-name">{nameOf(place)}</p>
      {place.gone && <p class="warning">{t('proof.gone')}</p>}
      {isVideo && <HitTimeline id={place.asset} />}
      {isVideo && <MemoryStrip asset={place.asset} startS={place.start_s ?? 0} endS={place.end_s ?? place.start_s ?? 0} />}
      <p class="actions">
        <a href={addressOf(place)}>{t('proof.open')}</a>
        <button type="button" class="quiet" onClick={() => void searchLike(place)}>
          {t('proof.alike')}
        </button>
        <CopyLink />
        {isVideo && (
          <a href={clipOf(place.asset, place.start_s ?? 0, place.end_s ?? (place.start_s ?? 0) + 1)} download="">
            {t('proof.clip')}
          </a>
        )}
      </p>
    </>
  );
}

/** Search with the picture of a place. */
async function searchLike(place: Place): Promise<void> {
  const response = await send('GET', pictureOf(place, LARGE_PX), undefined, { accept: 'image/webp' });
  go('/');
  await searchWith(await response.blob());
}

async function copyLink(): Promise<void> {
  await navigator.clipboard.writeText(location.href);
}

function CopyLink() {
  const [isCopied, setCopied] = useState(false);
  return (
    <button
      type="button"
      class="quiet"
      onClick={() => void copyLink().then(() => setCopied(true))}
      onBlur={() => setCopied(false)}
    >
      {isCopied ? t('proof.copied') : t('proof.copy')}
    </button>
  );
}
