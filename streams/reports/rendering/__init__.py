"""How is a report written down: as Markdown, or as a page of HTML with its charts as SVG?"""
