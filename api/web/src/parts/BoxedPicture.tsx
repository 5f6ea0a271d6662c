import { useEffect, useState } from 'preact/hooks';

import { LARGE_PX, pictureOf } from '../api/pictures';
import type { Place, Text } from '../api/types';
import { nameOf } from './place';

interface Props {
  place: Place;
  boxes: number[][];
  /** Texts of the picture, which can be selected where they stand. */
  texts?: Text[];
  /** The longer side of the picture that is asked for. */
  px?: number;
  onShown?: () => void;
}

/** A page or picture with boxes drawn at their places, whatever size it is shown in. */
export function BoxedPicture({ place, boxes, texts = [], px = LARGE_PX, onShown }: Props) {
  const source = pictureOf(place, px);
  const [loaded, setLoaded] = useState('');
  useEffect(() => setLoaded(''), [place.asset]);
  useEffect(() => {
    if (loaded) onShown?.();
  }, [loaded]);
  // Until the first picture of a file is there, its place is kept as large as it will probably be.
  return (
    <figure class={loaded ? 'boxed' : `boxed waiting ${place.kind}`}>
      <img src={source} alt={nameOf(place)} onLoad={() => setLoaded(source)} />
      {texts.length > 0 && (
        <div class="text-layer">
          {texts.flatMap((text) =>
            text.lines.map((line) => (
              <span style={{ ...rectangle(line.box), fontSize: heightOf(line.box) }}>
                {text.text.slice(line.start, line.end)}
              </span>
            )),
          )}
        </div>
      )}
      {boxes.map((box) => (
        <span class="box" style={rectangle(box)} />
      ))}
    </figure>
  );
}

function rectangle([x0 = 0, y0 = 0, x1 = 1, y1 = 1]: number[]): Record<string, string> {
  const share = (value: number): string => `${value * 100}%`;
  return { left: share(x0), top: share(y0), width: share(x1 - x0), height: share(y1 - y0) };
}

/** Return a line's height as a font size, in hundredths of the picture's height. */
function heightOf([, y0 = 0, , y1 = 1]: number[]): string {
  return `${(y1 - y0) * 80}cqh`;
}
