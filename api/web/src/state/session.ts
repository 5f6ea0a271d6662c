/** Who uses the page: what the browser's key allows, and whether one is needed. */
import { signal } from '@preact/signals';

import { request, whenSignInIsNeeded } from '../api/client';
import type { Session } from '../api/types';

export const session = signal<Session | null>(null);
/** True once a request was refused: the session has ended, or never was. */
export const needsSignIn = signal(false);

whenSignInIsNeeded(() => {
  needsSignIn.value = true;
});

export async function loadSession(): Promise<void> {
  const found = await request<Session>('GET', '/v1/session');
  session.value = found;
  needsSignIn.value = found.needs_key;
}

/** Sign in with a key. Errors: ApiError where it is not valid. */
export async function signIn(key: string): Promise<void> {
  session.value = await request<Session>('PUT', '/v1/session', { key });
  needsSignIn.value = false;
}

export async function signOut(): Promise<void> {
  await request('DELETE', '/v1/session');
  await loadSession();
}

/** Return whether what changes the archive may be offered. */
export function mayWrite(): boolean {
  return session.value?.scopes.includes('write') ?? false;
}

/** Return whether keys may be made and revoked. */
export function mayManage(): boolean {
  return session.value?.scopes.includes('admin') ?? false;
}
