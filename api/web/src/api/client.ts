/** Requests to the API. The browser sends the session's cookie with them. */
import type { Problem } from './types';

/** An error that the API has told of, or that it could not be reached (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly kind = '',
  ) {
    super(message);
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Who is told that a request needs a key. */
let onSignInNeeded = (): void => undefined;

export function whenSignInIsNeeded(handler: () => void): void {
  onSignInNeeded = handler;
}

/** Send a request and return its response; errors are ApiError. */
export async function send(
  method: Method,
  path: string,
  body?: unknown,
  options: { signal?: AbortSignal; accept?: string } = {},
): Promise<Response> {
  const headers: Record<string, string> = { accept: options.accept ?? 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: options.signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, '');
  }
  if (!response.ok) throw await toError(response);
  return response;
}

/** Send a request and return the JSON that answers it. */
export async function request<Result>(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Result> {
  const response = await send(method, path, body, signal ? { signal } : {});
  return (response.status === 204 ? undefined : await response.json()) as Result;
}

async function toError(response: Response): Promise<ApiError> {
  if (response.status === 401) onSignInNeeded();
  try {
    const problem = (await response.json()) as Problem;
    return new ApiError(response.status, problem.detail ?? problem.title, problem.type.replace('urn:afterimage:', ''));
  } catch {
    return new ApiError(response.status, response.statusText);
  }
}

/** Return what was thrown as an ApiError; what the API did not tell of counts as a server that was not reached. */
export function toApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, error instanceof Error ? error.message : '');
}
