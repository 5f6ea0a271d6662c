import { useState } from 'preact/hooks';

import { ErrorNote } from '../parts/ErrorNote';
import { MemoryStrip } from '../parts/MemoryStrip';
import { Player } from '../parts/Player';
import { Transcript } from '../parts/Transcript';
import { change, parameter } from '../state/address';
import { useAsset } from '../state/asset';

const time = parameter('t');

/** A video by itself: `/v/ID?t=a,b`. */
export function Watch({ id }: { id: string }) {
  const { asset, error } = useAsset(id);
  const [nowS, setNowS] = useState(0);
  const [start = 0, end] = time.value.split(',').map(Number);
  if (error) return <ErrorNote error={error} />;
  if (!asset) return null;
  const play = (seconds: number): void => change({ t: seconds.toFixed(2) });
  return (
    <div class="two-parts watch">
      <div>
        <h1>{asset.name}</h1>
        <Player asset={id} startS={start} endS={end ?? null} loops={end !== undefined} onTime={setNowS} />
        <MemoryStrip asset={id} startS={start} endS={end ?? start} onChoose={play} />
      </div>
      <Transcript asset={id} nowS={nowS} onChoose={play} />
    </div>
  );
}
