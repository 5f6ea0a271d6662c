/** Server-sent events of a response, one by one (WHATWG HTML, section 9.2). */
import { ApiError, send } from './client';
import type { Problem } from './types';

export interface ServerEvent {
  name: string;
  data: unknown;
}

/** Send a request whose response is a stream, and yield its events; one that tells of an error is thrown. */
export async function* stream(
  method: 'GET' | 'POST',
  path: string,
  body: unknown,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const response = await send(method, path, body, { signal, accept: 'text/event-stream' });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (waiting + value.replaceAll('\r\n', '\n')).split('\n\n');
      waiting = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parse(block);
        if (event?.name === 'error') {
          const problem = event.data as Problem;
          throw new ApiError(problem.status, problem.detail ?? problem.title);
        }
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function parse(block: string): ServerEvent | undefined {
  const fields = block.split('\n').map((line) => /^(\w+): ?(.*)$/.exec(line));
  const data = fields.flatMap((field) => (field?.[1] === 'data' ? [field[2] ?? ''] : []));
  if (!data.length) return undefined;
  const name = fields.find((field) => field?.[1] === 'event')?.[2] ?? 'message';
  return { name, data: JSON.parse(data.join('\n')) };
}
