import { useEffect, useRef, useState } from 'preact/hooks';

import { clipOf, LARGE_PX, mediaOf, pictureOf } from '../api/pictures';
import { useKeys } from '../state/keys';
import { t } from '../state/messages';

interface Props {
  asset: string;
  startS: number;
  endS: number | null;
  /** Play the span again and again, as a proof is shown; without it, play on. */
  loops?: boolean;
  onTime?: (seconds: number) => void;
}

/** Chosen: 1/25 s, a frame of most recordings. */
const FRAME_S = 0.04;

/** A video at a second. What the browser cannot decode is played as a clip that the server makes. */
export function Player({ asset, startS, endS, loops = true, onTime }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const [isClip, setClip] = useState(false);
  const end = endS !== null && endS > startS ? endS : null;

  useEffect(() => {
    const element = video.current;
    if (element && !isClip && element.readyState > 0) element.currentTime = startS;
  }, [asset, startS, isClip]);

  const step = (by: number) => (): void => {
    if (video.current) video.current.currentTime += by;
  };
  useKeys({
    ' ': () => togglePlay(video.current),
    ',': step(-FRAME_S),
    '.': step(FRAME_S),
    f: () => void video.current?.requestFullscreen(),
  });

  function follow(): void {
    const element = video.current;
    if (!element) return;
    onTime?.(isClip ? startS + element.currentTime : element.currentTime);
    if (loops && !isClip && end !== null && element.currentTime >= end && !element.paused) element.currentTime = startS;
  }

  return (
    <div class="player">
      <video
        ref={video}
        src={isClip ? clipOf(asset, startS, end ?? startS + 10) : mediaOf(asset)}
        poster={pictureOf({ asset, kind: 'video', start_s: startS, page: null }, LARGE_PX)}
        controls
        loop={isClip}
        preload="metadata"
        onLoadedMetadata={() => video.current && !isClip && (video.current.currentTime = startS)}
        onTimeUpdate={follow}
        onError={() => setClip(true)}
      />
      {isClip && <p class="quiet">{t('player.cannot')}</p>}
    </div>
  );
}

function togglePlay(element: HTMLVideoElement | null): void {
  if (!element) return;
  if (element.paused) element.play().catch(() => undefined); // Paused before it began: no error.
  else element.pause();
}
