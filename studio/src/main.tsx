import { createRoot } from 'react-dom/client';
import { Router } from './router.js';
import { Studio } from './studio.js';
import './studio.css';

createRoot(document.getElementById('studio')!).render(
  <Router>
    <Studio />
  </Router>,
);
