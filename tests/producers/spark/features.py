"""Joins two CSV files into Parquet, in two steps. The folder is the argument."""

import sys

from pyspark.sql import SparkSession, functions

folder = sys.argv[1]
spark = SparkSession.builder.appName("features").getOrCreate()
customers = spark.read.option("header", True).csv(f"file://{folder}/in/customers.csv")
customers.write.parquet(f"file://{folder}/out/customers")
customers = spark.read.parquet(f"file://{folder}/out/customers")
orders = spark.read.option("header", True).csv(f"file://{folder}/in/orders.csv")
features = (
    orders.join(customers, "customer_id")
    .groupBy("customer_id", "country")
    .agg(functions.sum("amount").alias("total_amount"))
)
features.write.parquet(f"file://{folder}/out/features")
spark.stop()
