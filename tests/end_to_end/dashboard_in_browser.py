"""The dashboard as a browser shows it, as JSON on standard output. Runs in Superset's environment, which has selenium.

    dashboard_in_browser.py ADDRESS PICTURE

The admin's password comes on standard input.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

WAIT_SECONDS = 90
# High enough for all charts at once: one that is out of sight asks for nothing.
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,3300", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def main(address: str, picture: str, password: str) -> None:
    """Log in, open the dashboard, wait until every chart has its data, and print what each got."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        found = look(browser, address, password)
        browser.save_screenshot(picture)
    finally:
        browser.quit()
    print(json.dumps(found))


def look(browser: WebDriver, address: str, password: str) -> dict[str, Any]:
    server = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"
    wait = WebDriverWait(browser, WAIT_SECONDS)
    browser.get(f"{server}/login/")
    fields = "input[type=password]"
    wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, fields))
    browser.find_element(By.CSS_SELECTOR, "input#username, input[name=username]").send_keys("admin")
    browser.find_element(By.CSS_SELECTOR, fields).send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "button[type=submit], input[type=submit]").click()
    wait.until(lambda page: "/login" not in page.current_url)
    browser.get(address)
    names = {
        chart["id"]: chart["slice_name"]
        for chart in browser.execute_async_script(
            "const done = arguments[0];"
            "fetch('/api/v1/dashboard/titans/charts').then(answer => answer.json()).then(found => done(found.result));"
        )
    }
    charts: dict[str, Any] = {}
    hosts: set[str] = set()
    deadline = time.monotonic() + WAIT_SECONDS
    while set(charts) != set(names.values()) and time.monotonic() < deadline:
        time.sleep(0.5)
        for entry in browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.responseReceived":
                read_response(browser, message["params"], names, charts, hosts)
    # The last chart has its data, and draws it.
    time.sleep(3)
    shown = [
        element.text
        for element in browser.find_elements(By.CSS_SELECTOR, "[data-test='dashboard-component-chart-holder']")
    ]
    blocked = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return {
        "names": sorted(names.values()),
        "charts": charts,
        "hosts": sorted(hosts),
        "shown": shown,
        "errors": blocked,
    }


def read_response(
    browser: WebDriver, params: dict[str, Any], names: dict[int, str], charts: dict[str, Any], hosts: set[str]
) -> None:
    """Note the host, and of a chart's answer its rows."""
    url = urlsplit(params["response"]["url"])
    if url.scheme in ("http", "https"):
        hosts.add(url.hostname or "")
    if url.path != "/api/v1/chart/data":
        return
    form = json.loads(parse_qs(url.query).get("form_data", ["{}"])[0])
    if form.get("slice_id") in names:
        body = browser.execute_cdp_cmd("Network.getResponseBody", {"requestId": params["requestId"]})
        answer = json.loads(body["body"])
        charts[names[form["slice_id"]]] = {
            "status": params["response"]["status"],
            "rows": [row for query in answer.get("result", []) for row in query.get("data") or []],
            "error": answer.get("message")
            or [query.get("error") for query in answer.get("result", []) if query.get("error")],
        }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin.read())
