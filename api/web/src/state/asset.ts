/** An asset and what is known of it, loaded for the page that shows it. */
import { useEffect, useState } from 'preact/hooks';

import { ApiError, request, toApiError } from '../api/client';
import type { AssetDetail } from '../api/types';

export function useAsset(id: string): { asset: AssetDetail | null; error: ApiError | null } {
  const [asset, setAsset] = useState<AssetDetail | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const asked = new AbortController();
    setAsset(null);
    setError(null);
    request<AssetDetail>('GET', `/v1/assets/${id}`, undefined, asked.signal)
      .then(setAsset)
      .catch((problem: unknown) => {
        if (!asked.signal.aborted) setError(toApiError(problem));
      });
    return () => asked.abort();
  }, [id]);
  return { asset, error };
}
