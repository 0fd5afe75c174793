"""Pages of a report as a browser shows them, as JSON on standard output. Runs in Superset's environment, which has selenium.

pages_in_browser.py FOLDER
"""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver

WIDTHS = (390, 820, 1400)
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def main(folder: Path) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        print(json.dumps([look(browser, page) for page in sorted(folder.glob("*.html"))]))
    finally:
        browser.quit()


def look(browser: WebDriver, page: Path) -> dict[str, Any]:
    """What a page needs, what of it is wider than its window, which charts show, and its sides of A4."""
    too_wide, charts = [], []
    for width in WIDTHS:
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.as_uri())
        too_wide += browser.execute_script(
            "return [document.documentElement, ...document.querySelectorAll('.scroll')]"
            ".filter(each => each.scrollWidth > each.clientWidth)"
            ".map(each => innerWidth + ': ' + (each.getAttribute('aria-label') || 'the page'))"
        )
        charts.append(
            browser.execute_script(
                "return [...document.querySelectorAll('svg')].filter(each => each.getBoundingClientRect().width > 200).length"
            )
        )
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {
        "page": page.name,
        "too_wide": too_wide,
        "charts": charts,
        "sides": len(re.findall(rb"/Type\s*/Page\b", printed)),
        "asked": sorted(
            {
                message["params"]["request"]["url"].partition(":")[0]
                for message in asked
                if message["method"] == "Network.requestWillBeSent"
            }
        ),
        "errors": [entry["message"] for entry in browser.get_log("browser")],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
