"""The SensorThings MQTT extension: Observations come in by MQTT, changes of entities go out.

Source: OGC 18-088, clause 14 (requirements classes "create-observations-via-mqtt" and
"receive-updates-via-mqtt").
"""
