import { createContext } from 'react';

/** Who is told what an act has done. */
export const Told = createContext<(said: string) => void>(() => undefined);
