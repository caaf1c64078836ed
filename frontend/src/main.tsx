import '@fontsource-variable/inter/wght.css';
import '@mantine/core/styles.css';
import './ui/tokens.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { languageFor, speak } from './texts';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element "root"');
// Until it is known which language somebody has chosen.
speak(languageFor(navigator.languages));
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
