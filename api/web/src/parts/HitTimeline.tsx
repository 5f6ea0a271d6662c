import { useAsset } from '../state/asset';
import { formatSpan, formatTime } from '../state/format';
import { hits } from '../state/finding';
import { t } from '../state/messages';
import { proof, show } from '../state/proof';

/** All results in one video, on its time line; each leads to its moment. */
export function HitTimeline({ id }: { id: string }) {
  const { asset } = useAsset(id);
  const own = hits.value.flatMap((hit, number) => (hit.asset === id && hit.start_s !== null ? [{ hit, number }] : []));
  const duration = asset?.duration_s;
  if (!duration || !own.length) return null;
  return (
    <div class="timeline">
      <div class="timeline-bar" role="group" aria-label={t('timeline.label')}>
        {own.map(({ hit, number }) => (
          <button
            type="button"
            class="timeline-hit"
            aria-pressed={proof.value?.id === `h${number}`}
            aria-label={formatSpan(hit.start_s ?? 0, hit.end_s)}
            style={{
              left: `${((hit.start_s ?? 0) / duration) * 100}%`,
              width: `${(((hit.end_s ?? hit.start_s ?? 0) - (hit.start_s ?? 0)) / duration) * 100}%`,
            }}
            onClick={() => show(`h${number}`)}
          />
        ))}
      </div>
      <p class="timeline-ends quiet">
        <span>0:00</span> <span>{formatTime(duration)}</span>
      </p>
    </div>
  );
}
