"""Light or dark: as the system has it, until the button says otherwise, which the browser remembers."""

from __future__ import annotations

from dash import html

# Stands in the head of a page, so that nothing is drawn in the other one first.
SCRIPT = """
const root = document.documentElement, dark = matchMedia('(prefers-color-scheme: dark)');
const kept = () => { try { return localStorage.getItem('theme'); } catch { return null; } };
const paint = () => { root.dataset.theme = kept() ?? (dark.matches ? 'dark' : 'light'); };
dark.addEventListener('change', paint);
document.addEventListener('click', event => {
  if (!event.target.closest('#theme')) return;
  const other = root.dataset.theme === 'dark' ? 'light' : 'dark';
  try { localStorage.setItem('theme', other); } catch {}
  root.dataset.theme = other;
});
paint();
"""
HEAD = f"<script>{{ {SCRIPT} }}</script>"


def button() -> html.Button:
    return html.Button("Dark or light", id="theme", title="kept by this browser")
